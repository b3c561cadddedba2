"""The end of a pipeline.

Retain: no finalizer. The garbage collector takes the children; the claims on the groups are given
up when the deletion is seen. Delete: our finalizer holds the resource until, in this order, the
CronJobs and Deployments are deleted, no pod of ours is left (a running worker would recreate its
group), and groups and their keys are gone from Redis. Streams and dead letters always stay.
A deletion never waits for ever: in a terminating namespace, after 5 minutes without Redis, or with
pods that outlive their grace by as much, the resource is let go and the log says what stays behind.
Until then its status says what it waits for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from headrace_api import FINALIZER
from headrace_api.names import PIPELINE_LABEL
from headrace_api.v1alpha1 import DeletionPolicy, RedisMode, StreamPipeline
from headrace_operator import metrics
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.identity import group_keys, owner_of_pipeline
from headrace_operator.kube.api_server import ApiError, ApiServer
from headrace_operator.kube.cache import Cache, key_of
from headrace_operator.kube.kinds import (
    BY_KIND,
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    STREAM_PIPELINE,
    Manifest,
)
from headrace_operator.plan import pod_health
from headrace_operator.plan.references import connection_references, named_objects
from headrace_operator.reconcile.consumer_groups import GroupOperations, RedisTrouble
from headrace_operator.reconcile.memory import Memory
from headrace_operator.reconcile.referenced_objects import access_of, fetch

logger = logging.getLogger(__name__)

POD_OWNERS = (CRON_JOB, DEPLOYMENT, JOB)
NEXT_LOOK = 2.0
# A reconciler waits so long for Redis.
REDIS_WAIT_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Waiting:
    """The deletion is not done: seconds until the next step, and what it waits for."""

    seconds: float
    message: str


class Deletion:
    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        groups: GroupOperations,
        redis: RedisAccess,
        poller: BacklogPoller,
        *,
        patience: float,
        clock: Callable[[], float],
    ) -> None:
        self._poller = poller
        self._clock = clock
        self._api = api
        self._cache = cache
        self._groups = groups
        self._redis = redis
        self._patience = patience
        self._releases: set[asyncio.Task[None]] = set()
        self._cleanings: dict[str, asyncio.Task[None]] = {}  # by the pipeline's uid

    async def settle_finalizer(self, live: Manifest, pipeline: StreamPipeline) -> Manifest:
        """Sees that our finalizer is there exactly while deletionPolicy is Delete."""
        wanted = pipeline.spec.deletion_policy is DeletionPolicy.DELETE
        if wanted == (FINALIZER in pipeline.metadata.finalizers):
            return live
        return await self._set_finalizer(live, wanted)

    async def proceed(self, live: Manifest, memory: Memory) -> Waiting | None:
        """One step of the deletion: what it waits for, or None when nothing of it is left to do.

        Raises ApiError, ApiUnreachable.
        """
        if FINALIZER not in live["metadata"].get("finalizers", ()):
            return None
        try:
            pipeline = StreamPipeline.model_validate(live)
        except ValidationError:
            await self._let_go(live, "InvalidSpec", "its spec cannot be read")
            return None
        left, grace = await self._left(live)
        if left:
            return await self._wait_for(left, grace, live, memory)
        try:
            if not await self._cleaned(pipeline, memory):
                return Waiting(NEXT_LOOK, "the deletion waits for Redis, to drop the groups")
        except (RedisTrouble, NoAccess) as error:
            return await self._wait_for_redis(error, live, memory)
        await self._set_finalizer(live, False)
        logger.info("deleted with its consumer groups", extra=_named(live))
        return None

    async def _wait_for(
        self, left: list[str], grace: float, live: Manifest, memory: Memory
    ) -> Waiting | None:
        now = self._clock()
        memory.pods_awaited_since = memory.pods_awaited_since or now
        what = f"{', '.join(left[:3])}{f' and {len(left) - 3} more' if len(left) > 3 else ''}"
        if now - memory.pods_awaited_since > grace + self._patience:
            await self._let_go(live, "PodsLeft", f"{what} did not end")
            return None
        return Waiting(NEXT_LOOK, f"the deletion waits for {what} to end")

    async def _wait_for_redis(
        self, error: Exception, live: Manifest, memory: Memory
    ) -> Waiting | None:
        """Patience counts from when Redis went, not from when the deletion was asked for."""
        now = self._clock()
        memory.redis_awaited_since = memory.redis_awaited_since or now
        if await self._namespace_terminates(live):
            await self._let_go(live, "NamespaceTerminating", str(error))
        elif now - memory.redis_awaited_since > self._patience:
            await self._let_go(live, "RedisUnreachable", str(error))
        else:
            logger.warning("deletion waits for Redis: %s", error, extra=_named(live))
            return Waiting(
                NEXT_LOOK * 2,
                f"the deletion waits for Redis, to drop the consumer groups: {error}; it is let go"
                f" without that after {self._patience:g} s",
            )
        return None

    def release_claims(self, memory: Memory) -> None:
        """The resource is gone: give up its claims, in the background. Best effort, and harmless
        when repeated."""
        if memory.access is None or memory.owner is None:
            return
        task = asyncio.create_task(self._release_claims(memory))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
        task.add_done_callback(_retrieve)

    async def _release_claims(self, memory: Memory) -> None:
        assert memory.access is not None
        assert memory.owner is not None
        for keys in memory.group_keys:
            try:
                self._check_answers(memory.access)
                await self._groups.release(memory.access, keys, memory.owner)
            except RedisTrouble as error:
                logger.warning("the claims of %s were not given up: %s", memory.owner, error)
                return

    def _check_answers(self, access: Access) -> None:
        """Raise RedisTrouble at once where the poller has found that Redis does not answer: a
        reconciler that waits for one tenant's Redis is missing for all others."""
        if self._poller.knows(access) and not self._poller.answers(access):
            raise RedisTrouble(f"Redis at {access.endpoint} does not answer")

    async def _left(self, live: Manifest) -> tuple[list[str], float]:
        """Deletes what makes pods. What is left of it, and of the pods: kind/name of each; and the
        longest that pods may take by their own word, in seconds.

        Asked of the API server, by the controller's uid: a cache behind a selector does not see
        an object whose label was edited.
        """
        namespace, uid = live["metadata"]["namespace"], live["metadata"]["uid"]
        makers = {}
        for kind in POD_OWNERS:
            for one in (await self._api.list_all(kind, namespace))[0]:
                makers[one["metadata"]["uid"]] = one
        ours = {found: one for found, one in makers.items() if _controller(one) == uid}
        for one in ours.values():
            if "deletionTimestamp" not in one["metadata"]:
                identity = {name: one["metadata"][name] for name in ("namespace", "name", "uid")}
                await self._api.delete(BY_KIND[one["kind"]], {"metadata": identity})
        selector = f"{PIPELINE_LABEL}={live['metadata']['name']}"
        sets, _ = await self._api.list_all(REPLICA_SET, namespace, label_selector=selector)
        pods, _ = await self._api.list_all(POD, namespace, label_selector=selector)
        graces = (pod["spec"].get("terminationGracePeriodSeconds", 30) for pod in pods)
        awaited = (*ours.values(), *_still_writing(pods, sets, makers, ours))
        names = [f"{one['kind']}/{one['metadata']['name']}" for one in awaited]
        return names, max(graces, default=0)

    async def _cleaned(self, pipeline: StreamPipeline, memory: Memory) -> bool:
        """Whether Redis is clean. Work that takes longer goes on in the background: a reconciler
        that waits for one tenant's Redis is missing for all others."""
        if pipeline.spec.redis.mode is not RedisMode.STANDALONE:
            return True  # nothing was ever made in it
        task = self._cleanings.get(memory.uid)
        if task is None:
            task = asyncio.create_task(self._clean(pipeline, memory))
            task.add_done_callback(_retrieve)
            self._cleanings[memory.uid] = task
        done, _ = await asyncio.wait({task}, timeout=REDIS_WAIT_SECONDS)
        if not done:
            return False
        del self._cleanings[memory.uid]
        task.result()
        return True

    async def _clean(self, pipeline: StreamPipeline, memory: Memory) -> None:
        access = await self._access(pipeline, memory)
        owner = owner_of_pipeline(pipeline)
        for keys in group_keys(pipeline):
            self._check_answers(access)
            if pipeline.spec.deletion_policy is DeletionPolicy.DELETE:
                await self._groups.destroy(access, keys, owner)
            else:
                await self._groups.release(access, keys, owner)

    async def _access(self, pipeline: StreamPipeline, memory: Memory) -> Access:
        """From memory first: the Secret may be gone already."""
        metadata = pipeline.metadata
        known = memory.access or self._redis.recall(key_of(metadata.namespace, metadata.name))
        if known is not None:
            return known
        secrets, config_maps = named_objects(connection_references(pipeline))
        fetched = await fetch(self._api, metadata.namespace, secrets, config_maps)
        return self._redis.permitted(access_of(pipeline, fetched))

    async def _let_go(self, live: Manifest, reason: str, why: str) -> None:
        metrics.LET_GO.labels(reason).inc()
        logger.error(
            "let go without cleaning Redis (%s): its consumer groups stay; remove them by hand: %s",
            reason,
            why,
            extra=_named(live),
        )
        await self._set_finalizer(live, False)

    async def _set_finalizer(self, live: Manifest, present: bool) -> Manifest:
        metadata = live["metadata"]
        others = [name for name in metadata.get("finalizers", ()) if name != FINALIZER]
        wanted = [*others, FINALIZER] if present else others
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
            {
                "op": "test",
                "path": "/metadata/resourceVersion",
                "value": metadata["resourceVersion"],
            },
            {"op": "add", "path": "/metadata/finalizers", "value": wanted},
        ]
        try:
            seen = await self._api.json_patch(
                STREAM_PIPELINE, metadata["namespace"], metadata["name"], operations
            )
        except ApiError as error:
            if error.is_missing:
                return live
            raise error.as_conflict() if error.is_invalid else error from None
        self._cache.put(STREAM_PIPELINE, seen)
        return seen

    async def _namespace_terminates(self, live: Manifest) -> bool:
        """Asked by a dry run: the operator needs no right to read namespaces."""
        namespace = live["metadata"]["namespace"]
        probe = {
            "apiVersion": "v1",
            "kind": CONFIG_MAP.kind,
            "metadata": {"generateName": "headrace-probe-", "namespace": namespace},
        }
        try:
            await self._api.create(CONFIG_MAP, namespace, probe, dry_run=True)
        except ApiError as error:
            return error.terminating
        return False


def _still_writing(
    pods: Iterable[Manifest],
    sets: Iterable[Manifest],
    makers: Mapping[str, Manifest],
    ours: Mapping[str, Manifest],
) -> Iterator[Manifest]:
    """Pods that may still write to Redis. Not those that have finished, that somebody took out of
    their ReplicaSet, or whose Deployment somebody orphaned. `makers` and `ours` go by uid."""
    strangers = makers.keys() - ours.keys()
    orphaned = {
        one["metadata"]["uid"]
        for one in (*sets, *makers.values())
        if one["metadata"]["uid"] not in ours
        and (_controller(one) is None or _controller(one) in strangers)
    }
    for pod in pods:
        if _controller(pod) not in {None, *orphaned} and not pod_health.is_finished(pod):
            yield pod


def _controller(child: Manifest) -> str | None:
    for reference in child["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return None


def _retrieve(task: asyncio.Task[None]) -> None:
    """An error that nobody asks for any more is no news."""
    if not task.cancelled():
        task.exception()


def _named(live: Manifest) -> dict[str, str]:
    metadata = live["metadata"]
    return {"pipeline": key_of(metadata["namespace"], metadata["name"])}
