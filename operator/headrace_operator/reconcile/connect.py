"""The way to a pipeline's Redis: its Secrets, the permission to go there, what the poller reads.

Done on a change of the spec, every full look, and soon again while something is missing or Redis
refuses.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from headrace.streams.keys import StreamKeys
from headrace_api.v1alpha1 import Redis, StreamPipeline
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.backlog.endpoint import Subject
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.backlog.wakeups import ScalingTarget
from headrace_operator.identity import group_keys, owner_of_pipeline, place_of
from headrace_operator.kube.api_server import ApiServer
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import REDIS_CONNECTION, Manifest
from headrace_operator.plan.observation import References
from headrace_operator.plan.place import NoPlace, named, with_redis
from headrace_operator.plan.references import named_objects, problems, references_of
from headrace_operator.reconcile.failures import failure_of
from headrace_operator.reconcile.memory import Connection, Memory
from headrace_operator.reconcile.referenced_objects import access_of, fetch
from headrace_operator.reconcile.url_place import place_in

# While a referenced object is missing or Redis refuses, so often is looked for a change.
LOOK_FOR_MISSING_SECONDS = 5.0


class Connector:
    """`full_look`: seconds after which all is looked at again."""

    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        redis: RedisAccess,
        poller: BacklogPoller,
        *,
        clock: Callable[[], float],
        full_look: float,
    ) -> None:
        self._api = api
        self._cache = cache
        self._redis = redis
        self._poller = poller
        self._clock = clock
        self._full_look = full_look

    async def connect(self, pipeline: StreamPipeline, memory: Memory) -> Redis:
        """`spec.redis` with its place filled in. Brings `memory.connection` up to date where that
        is due: what could not be read is in its `unread`, why there is no access in its
        `access_error`. Raises NoPlace while no place was ever known."""
        known, now = memory.connection, self._clock()
        try:
            redis = named(pipeline, connection_of(pipeline, self._cache))
        except NoPlace as error:
            known.no_place, known.named = error, None  # what was known of the place still holds
        else:
            asked = with_redis(pipeline, redis)
            if redis != known.named or self._is_due(asked, known, now):
                await self._refresh(asked, memory, now)
        if known.redis is None:
            assert known.no_place is not None
            raise known.no_place
        return known.redis

    async def _refresh(self, pipeline: StreamPipeline, memory: Memory, now: float) -> None:
        known, generation = memory.connection, pipeline.metadata.generation
        secrets, config_maps = named_objects(references_of(pipeline))
        fetched = await fetch(self._api, pipeline.namespace, secrets, config_maps)
        known.refreshed_at = now
        known.unread = tuple(map(failure_of, fetched.errors))
        # Jitter: what was started together must not look together for ever.
        pause = LOOK_FOR_MISSING_SECONDS if known.unread else self._full_look
        known.refresh_at = now + pause * random.uniform(0.8, 1.0)
        same = (known.refreshed_generation, known.named) == (generation, pipeline.spec.redis)
        if known.unread and same:
            return  # what was known of them still holds
        known.references = fetched.seen()
        known.refreshed_generation, known.named = generation, pipeline.spec.redis
        try:
            redis = place_in(pipeline.spec.redis, fetched)
        except NoPlace as error:
            known.no_place = error  # what was known of the place still holds
            return
        known.redis, known.no_place = redis, None
        pipeline = with_redis(pipeline, redis)
        try:
            access = self._redis.permitted(access_of(redis, pipeline.namespace, fetched))
        except NoAccess as error:
            known.access, known.access_error = None, str(error)
            self._poller.forget(pipeline.key)
            return
        known.access, known.access_error = access, None
        place = place_of(pipeline)
        if known.place not in (None, place):
            memory.groups.move()
            self._poller.forget(pipeline.key)
        known.place = place
        known.owner = owner_of_pipeline(pipeline)
        known.group_keys = group_keys(pipeline)
        self._redis.remember(pipeline.key, access)
        self._poller.watch(pipeline.key, subject_of(pipeline, access))

    def _is_due(self, pipeline: StreamPipeline, known: Connection, now: float) -> bool:
        if known.refreshed_generation != pipeline.metadata.generation or now >= known.refresh_at:
            return True
        may_look = now >= known.refreshed_at + LOOK_FOR_MISSING_SECONDS
        return may_look and self._lacks_something(pipeline, known)

    def _lacks_something(self, pipeline: StreamPipeline, known: Connection) -> bool:
        reading = self._poller.reading(pipeline.key) if known.access else None
        may_have_moved = pipeline.spec.redis.url_key is not None
        references = known.references or References()
        return (
            known.access_error is not None
            or known.no_place is not None
            or (reading is not None and reading.refused)
            or (reading is not None and may_have_moved and reading.error is not None)
            or any(True for _ in problems(references_of(pipeline), references))
        )


def connection_of(pipeline: StreamPipeline, cache: Cache) -> Manifest | None:
    """The RedisConnection that the pipeline names; None without any, or where it is missing."""
    ref = pipeline.spec.redis.connection_ref
    return cache.get(REDIS_CONNECTION.kind, pipeline.namespace, ref.name) if ref else None


def subject_of(pipeline: StreamPipeline, access: Access) -> Subject:
    """What the poller reads for a pipeline: its groups, and those that it left behind."""
    return Subject(
        access=access,
        keys=StreamKeys(pipeline.spec.stream.name, pipeline.dead_letter_stream),
        groups=(
            *(group.consumer_group_name for group in pipeline.spec.groups),
            *(orphan.consumer_group for orphan in pipeline.status.orphaned_groups),
        ),
        targets={
            group.consumer_group_name: ScalingTarget(
                group.scaling.target_backlog, group.scaling.max_replicas
            )
            for group in pipeline.spec.groups
        },
    )
