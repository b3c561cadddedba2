"""Everything one plan is made from, gathered: caches, live looks where a cache cannot know, Redis.

A wanted child that no cache holds is looked up live before it may count as absent: server-side
apply would take over a stranger's object of that name.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from headrace.streams.backlog import StreamBacklog
from headrace.streams.keys import StreamKeys
from headrace_api.names import MANAGED_BY, MANAGED_BY_LABEL
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.backlog.poller import BacklogPoller, Subject
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.backlog.wakeups import Reading, ScalingTarget
from headrace_operator.identity import group_keys, owner_of, place_of
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.cache import Cache, Key, split
from headrace_operator.kube.kinds import BY_KIND, CHILDREN, Manifest
from headrace_operator.plan import RenderedPipeline, Wanted
from headrace_operator.plan.former_children import former_children
from headrace_operator.plan.observation import ChildRef, Observation, References
from headrace_operator.plan.ownership import is_ours
from headrace_operator.plan.references import problems
from headrace_operator.reconcile.failures import failure_of
from headrace_operator.reconcile.memory import Memory
from headrace_operator.reconcile.referenced_objects import access_of, fetch

# While a referenced object is missing or Redis refuses, so often is looked for a change.
LOOK_FOR_MISSING_SECONDS = 5.0
_APPLIED = frozenset(kind.kind for kind in CHILDREN)


class Observer:
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

    async def observe(
        self, live: Manifest, pipeline: StreamPipeline, rendered: RenderedPipeline, memory: Memory
    ) -> Observation:
        """What could not be looked at is in `failures` and `unreadable`."""
        key = pipeline.key
        await self.look(key, pipeline, rendered, memory)
        children, unreadable = await self._children(key, pipeline, rendered.wanted)
        unseen = [failure_of(error, ref) for ref, error in unreadable.items()]
        reading = self._poller.reading(key) if memory.access else None
        return Observation(
            pipeline=pipeline,
            children=children,
            now=time.time(),
            clock=self._clock(),
            pods=tuple(self._cache.pods(key)),
            backlog=known_backlog(reading, memory.created_at),
            redis_answers=memory.access is not None and self._poller.answers(memory.access),
            redis_error=memory.access_error or (reading.error if reading else None),
            redis_refused=reading is not None and reading.refused,
            references=memory.references or References(),
            claims=dict(memory.claims),
            conflicts=memory.conflicts.standing(),
            rejections={ref: seen.message for ref, seen in memory.rejections.items()},
            failures=tuple(dict.fromkeys((*memory.unread, *unseen, *memory.failures))),
            held=memory.held,
            unreadable=frozenset(unreadable),
            history=memory.history,
            live_status=live.get("status") or {},
            status_written_at=memory.status_written_at,
        )

    async def look(
        self, key: Key, pipeline: StreamPipeline, rendered: RenderedPipeline, memory: Memory
    ) -> None:
        """References and Redis access: on a change of the spec, every full look, and soon again
        while something is missing or Redis refuses."""
        now = self._clock()
        generation = pipeline.metadata.generation
        if memory.looked_at_generation == generation and now < memory.look_again_at:
            if not self._lacks_something(key, rendered, memory):
                return
            if now < memory.looked_at + LOOK_FOR_MISSING_SECONDS:
                return
        want = rendered.wanted
        fetched = await fetch(self._api, pipeline.namespace, want.secrets, want.config_maps)
        memory.looked_at = now
        memory.unread = tuple(map(failure_of, fetched.errors))
        # Jitter: what was started together must not look together for ever.
        pause = LOOK_FOR_MISSING_SECONDS if memory.unread else self._full_look
        memory.look_again_at = now + pause * random.uniform(0.8, 1.0)
        if memory.unread and memory.looked_at_generation == generation:
            return  # what was known of them still holds
        memory.references = fetched.seen()
        memory.looked_at_generation = generation
        try:
            memory.access = self._redis.permitted(access_of(pipeline, fetched))
        except NoAccess as error:
            memory.access, memory.access_error = None, str(error)
            self._poller.forget(key)
            return
        memory.access_error = None
        place = place_of(pipeline)
        if memory.place not in (None, place):
            # What was claimed and learned there says nothing of here.
            memory.claims.clear()
            self._poller.forget(key)
        memory.place = place
        memory.owner = owner_of(*split(key), pipeline.metadata.uid)
        memory.group_keys = group_keys(pipeline)
        self._redis.remember(key, memory.access)
        self._poller.watch(
            key,
            Subject(
                access=memory.access,
                keys=StreamKeys(pipeline.spec.stream.name, pipeline.dead_letter_stream),
                groups=(
                    *(group.consumer_group_name for group in pipeline.spec.groups),
                    *(orphan.consumer_group for orphan in pipeline.status.orphaned_groups),
                ),
                steps={
                    group.consumer_group_name: ScalingTarget(
                        group.scaling.target_backlog, group.scaling.max_replicas
                    )
                    for group in pipeline.spec.groups
                },
            ),
        )

    def _lacks_something(self, key: Key, rendered: RenderedPipeline, memory: Memory) -> bool:
        reading = self._poller.reading(key) if memory.access else None
        known = memory.references or References()
        return (
            memory.access_error is not None
            or (reading is not None and reading.refused)
            or any(True for _ in problems(rendered.references, known))
        )

    async def _children(
        self, key: Key, pipeline: StreamPipeline, want: Wanted
    ) -> tuple[dict[ChildRef, Manifest], dict[ChildRef, ApiError | ApiUnreachable]]:
        """All of ours, and whatever bears the name of a wanted child.

        Watches select by a label that anybody can edit. So what no cache holds is asked for by
        name: each wanted child, and those of groups and trims that the last status knew. Returns
        the children, and why some could not be looked at.
        """
        namespace = pipeline.namespace
        children = {
            ChildRef(child["kind"], child["metadata"]["name"]): child
            for child in self._cache.children(key)
        }
        # Without the label no watch reports what becomes of it.
        unknown = [ref for ref, child in children.items() if not _is_watched(child)]
        for ref in (*want.children, *former_children(pipeline)):
            if ref in children:
                continue
            cached = self._cache.get(ref.kind, namespace, ref.name)
            if cached is None:
                unknown.append(ref)
            elif ref in want.children:
                children[ref] = cached
        unknown = list(dict.fromkeys(unknown))
        unreadable = {}
        for ref, live in zip(unknown, await self._live(namespace, unknown), strict=True):
            if isinstance(live, ApiError | ApiUnreachable):
                unreadable[ref] = live
            elif live is None:
                children.pop(ref, None)
            elif is_ours(live, pipeline):
                self._cache.revive(BY_KIND[ref.kind], live)
                children[ref] = live
            elif ref in want.children:
                children[ref] = live
        return children, unreadable

    async def _live(
        self, namespace: str, refs: list[ChildRef]
    ) -> list[Manifest | ApiError | ApiUnreachable | None]:
        async def get(ref: ChildRef) -> Manifest | ApiError | ApiUnreachable | None:
            try:
                return await self._api.get(BY_KIND[ref.kind], namespace, ref.name)
            except (ApiError, ApiUnreachable) as error:
                return error

        return await asyncio.gather(*map(get, refs))


def known_backlog(reading: Reading | None, created_at: Mapping[str, float]) -> StreamBacklog | None:
    """What was read, without groups that were created since: it has them as missing."""
    if reading is None or reading.backlog is None:
        return None
    newer = {name for name, clock in created_at.items() if clock >= reading.clock}
    if not newer:
        return reading.backlog
    groups = {name: group for name, group in reading.backlog.groups.items() if name not in newer}
    return replace(reading.backlog, groups=groups)


def _is_watched(child: Manifest) -> bool:
    labels = child["metadata"].get("labels") or {}
    return bool(labels.get(MANAGED_BY_LABEL) == MANAGED_BY) or child["kind"] not in _APPLIED
