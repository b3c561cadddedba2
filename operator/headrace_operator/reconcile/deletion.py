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
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from headrace.streams.keys import GroupKeys
from headrace_api.v1alpha1 import DeletionPolicy, StreamPipeline
from headrace_operator import metrics
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.identity import group_keys, owner_of_pipeline
from headrace_operator.kube.api_server import ApiError, ApiServer
from headrace_operator.kube.cache import Cache, key_of
from headrace_operator.kube.kinds import CONFIG_MAP, Manifest
from headrace_operator.plan.place import NoPlace, named
from headrace_operator.plan.references import connection_references, named_objects
from headrace_operator.reconcile.connect import connection_of
from headrace_operator.reconcile.consumer_groups import GroupOperations, RedisTrouble
from headrace_operator.reconcile.finalizer import Finalizer, is_held
from headrace_operator.reconcile.last_workers import end_workers
from headrace_operator.reconcile.memory import Connection, DeletionWaits, Memory
from headrace_operator.reconcile.referenced_objects import access_of, fetch
from headrace_operator.reconcile.url_place import place_in

logger = logging.getLogger(__name__)

NEXT_STEP_SECONDS = 2.0
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
        finalizer: Finalizer,
        groups: GroupOperations,
        redis: RedisAccess,
        poller: BacklogPoller,
        *,
        cache: Cache,
        patience: float,
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._cache = cache
        self._finalizer = finalizer
        self._groups = groups
        self._redis = redis
        self._poller = poller
        self._patience = patience
        self._clock = clock
        self._releases: set[asyncio.Task[None]] = set()
        self._cleanings: dict[str, asyncio.Task[None]] = {}  # by the pipeline's uid

    async def proceed(self, live: Manifest, memory: Memory) -> Waiting | None:
        """One step of the deletion: what it waits for, or None when nothing of it is left to do.

        Raises ApiError, ApiUnreachable.
        """
        if not is_held(live):
            return None
        try:
            pipeline = StreamPipeline.model_validate(live)
        except ValidationError:
            await self._let_go(live, "InvalidSpec", "its spec cannot be read")
            return None
        left, grace = await end_workers(self._api, live)
        if left:
            return await self._wait_for(left, grace, live, memory.deletion)
        try:
            if not await self._cleaned(pipeline, memory.connection):
                return Waiting(
                    NEXT_STEP_SECONDS, "the deletion waits for Redis, to drop the groups"
                )
        except (RedisTrouble, NoAccess, NoPlace) as error:
            return await self._wait_for_redis(error, live, memory.deletion)
        await self._finalizer.remove(live)
        logger.info("deleted with its consumer groups", extra=_named(live))
        return None

    async def _wait_for(
        self, left: list[str], grace: float, live: Manifest, waits: DeletionWaits
    ) -> Waiting | None:
        now = self._clock()
        waits.pods_since = waits.pods_since or now
        what = f"{', '.join(left[:3])}{f' and {len(left) - 3} more' if len(left) > 3 else ''}"
        if now - waits.pods_since > grace + self._patience:
            await self._let_go(live, "PodsLeft", f"{what} did not end")
            return None
        return Waiting(NEXT_STEP_SECONDS, f"the deletion waits for {what} to end")

    async def _wait_for_redis(
        self, error: Exception, live: Manifest, waits: DeletionWaits
    ) -> Waiting | None:
        """Patience counts from when Redis went, not from when the deletion was asked for."""
        now = self._clock()
        waits.redis_since = waits.redis_since or now
        if await self._namespace_terminates(live):
            await self._let_go(live, "NamespaceTerminating", str(error))
        elif now - waits.redis_since > self._patience:
            await self._let_go(live, "RedisUnreachable", str(error))
        else:
            logger.warning("deletion waits for Redis: %s", error, extra=_named(live))
            return Waiting(
                NEXT_STEP_SECONDS * 2,
                f"the deletion waits for Redis, to drop the consumer groups: {error}; it is let go"
                f" without that after {self._patience:g} s",
            )
        return None

    def release_claims(self, known: Connection) -> None:
        """The resource is gone: give up its claims, in the background. Best effort, and harmless
        when repeated."""
        if known.access is None or known.owner is None:
            return
        # Else the client is closed as one that nobody uses, in the middle of this.
        self._redis.remember(known.owner, known.access)
        task = asyncio.create_task(self._release_claims(known))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
        task.add_done_callback(_retrieve)

    async def _release_claims(self, known: Connection) -> None:
        assert known.access is not None
        assert known.owner is not None
        try:
            for keys in await self._all_keys(known.access, known.group_keys, known.owner):
                self._check_answers(known.access)
                await self._groups.release(known.access, keys, known.owner)
        except RedisTrouble as error:
            logger.warning("the claims of %s were not given up: %s", known.owner, error)
        finally:
            self._redis.forget(known.owner)

    def _check_answers(self, access: Access) -> None:
        """Raise RedisTrouble at once where the poller has found that Redis does not answer: a
        reconciler that waits for one tenant's Redis is missing for all others."""
        if self._poller.knows(access) and not self._poller.answers(access):
            raise RedisTrouble(f"Redis at {access.endpoint} does not answer")

    async def _cleaned(self, pipeline: StreamPipeline, known: Connection) -> bool:
        """Whether Redis is clean. Work that takes longer goes on in the background: a reconciler
        that waits for one tenant's Redis is missing for all others."""
        task = self._cleanings.get(pipeline.metadata.uid)
        if task is None:
            task = asyncio.create_task(self._clean(pipeline, known))
            task.add_done_callback(_retrieve)
            self._cleanings[pipeline.metadata.uid] = task
        done, _ = await asyncio.wait({task}, timeout=REDIS_WAIT_SECONDS)
        if not done:
            return False
        del self._cleanings[pipeline.metadata.uid]
        task.result()
        return True

    async def _clean(self, pipeline: StreamPipeline, known: Connection) -> None:
        access = await self._access(pipeline, known)
        owner = owner_of_pipeline(pipeline)
        for keys in await self._all_keys(access, group_keys(pipeline), owner):
            self._check_answers(access)
            if pipeline.spec.deletion_policy is DeletionPolicy.DELETE:
                await self._groups.destroy(access, keys, owner)
            else:
                await self._groups.release(access, keys, owner)

    async def _all_keys(
        self, access: Access, named: tuple[GroupKeys, ...], owner: str
    ) -> Iterable[GroupKeys]:
        """Also of groups that had left the spec and were not given up yet. Raises RedisTrouble."""
        if not named:
            return ()
        self._check_answers(access)
        claimed = await self._groups.claimed(access, named[0].stream, owner)
        return dict.fromkeys((*named, *claimed))

    async def _access(self, pipeline: StreamPipeline, known: Connection) -> Access:
        """From memory first: the Secret may be gone already."""
        access = known.access or self._redis.recall(pipeline.key)
        if access is not None:
            return access
        redis = named(pipeline, connection_of(pipeline, self._cache))
        secrets, config_maps = named_objects(connection_references(redis))
        fetched = await fetch(self._api, pipeline.namespace, secrets, config_maps)
        access = access_of(place_in(redis, fetched), pipeline.namespace, fetched)
        return self._redis.permitted(access)

    async def _let_go(self, live: Manifest, reason: str, why: str) -> None:
        metrics.LET_GO.labels(reason).inc()
        logger.error(
            "let go without cleaning Redis (%s): its consumer groups stay; remove them by hand: %s",
            reason,
            why,
            extra=_named(live),
        )
        await self._finalizer.remove(live)

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


def _retrieve(task: asyncio.Task[None]) -> None:
    """An error that nobody asks for any more is no news."""
    if not task.cancelled():
        task.exception()


def _named(live: Manifest) -> dict[str, str]:
    metadata = live["metadata"]
    return {"pipeline": key_of(metadata["namespace"], metadata["name"])}
