"""The end of a pipeline.

Retain: no finalizer. The garbage collector takes the children; the claims on the groups are given
up when the deletion is seen. Delete: our finalizer holds the resource until, in this order, the
CronJobs and Deployments are deleted, no pod of ours is left (a running worker would recreate its
group), and groups and their keys are gone from Redis. Streams and dead letters always stay.
A deletion never waits for ever: in a terminating namespace, or after 5 minutes without Redis, the
resource is let go and the log says what stays behind.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from pydantic import ValidationError

from headrace.streams.keys import GroupKeys, StreamKeys, UnusableName
from headrace_api import FINALIZER
from headrace_api.names import MANAGED_BY, MANAGED_BY_LABEL, PIPELINE_LABEL
from headrace_api.v1alpha1 import DeletionPolicy, StreamPipeline
from headrace_operator import metrics
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiServer
from headrace_operator.kube.cache import Cache, key_of
from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    STREAM_PIPELINE,
    Manifest,
)
from headrace_operator.plan.references import connection_references, named_objects
from headrace_operator.reconcile.consumer_groups import GroupOperations, RedisTrouble, owner_of
from headrace_operator.reconcile.memory import Memory
from headrace_operator.reconcile.referenced_objects import NoAccess, access_of, fetch

log = logging.getLogger(__name__)

MAKERS = {kind.kind: kind for kind in (CRON_JOB, DEPLOYMENT, JOB)}
NEXT_LOOK = 2.0


class Deletion:
    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        groups: GroupOperations,
        redis: RedisAccess,
        *,
        patience: float,
    ) -> None:
        self._api = api
        self._cache = cache
        self._groups = groups
        self._redis = redis
        self._patience = patience

    async def settle_finalizer(self, live: Manifest, pipeline: StreamPipeline) -> Manifest:
        """Sees that our finalizer is there exactly while deletionPolicy is Delete."""
        wanted = pipeline.spec.deletion_policy is DeletionPolicy.DELETE
        if wanted == (FINALIZER in pipeline.metadata.finalizers):
            return live
        return await self._set_finalizer(live, wanted)

    async def proceed(self, live: Manifest, memory: Memory) -> float | None:
        """One step of the deletion; the seconds until the next, or None when it is not ours.

        Raises ApiError, ApiUnreachable.
        """
        if FINALIZER not in live["metadata"].get("finalizers", ()):
            return None
        try:
            pipeline = StreamPipeline.model_validate(live)
        except ValidationError:
            await self._let_go(live, "InvalidSpec", "its spec cannot be read")
            return None
        if not await self._stopped(live):
            return NEXT_LOOK
        try:
            await self._clean(pipeline, memory)
        except (RedisTrouble, NoAccess) as error:
            if await self._namespace_terminates(live):
                await self._let_go(live, "NamespaceTerminating", str(error))
            elif _age(live) > self._patience:
                await self._let_go(live, "RedisUnreachable", str(error))
            else:
                log.warning("deletion waits for Redis: %s", error, extra=_named(live))
                return NEXT_LOOK * 2
            return None
        await self._set_finalizer(live, False)
        log.info("deleted with its consumer groups", extra=_named(live))
        return None

    async def farewell(self, memory: Memory) -> None:
        """The resource is gone: give up its claims. Best effort, and harmless when repeated."""
        if memory.access is None or memory.owner is None:
            return
        for keys in memory.group_keys:
            try:
                await self._groups.release(memory.access, keys, memory.owner)
            except RedisTrouble as error:
                log.warning("the claim on group %s was not given up: %s", keys.group, error)

    async def _stopped(self, live: Manifest) -> bool:
        """Deletes what makes pods; True when nothing of it and no pod is left."""
        metadata = live["metadata"]
        key = key_of(metadata["namespace"], metadata["name"])
        left = False
        for child in list(self._cache.children(key)):
            left |= child["kind"] in (REPLICA_SET.kind, JOB.kind)
            if child["kind"] in MAKERS and _controller(child) == metadata["uid"]:
                left = True
                if "deletionTimestamp" not in child["metadata"]:
                    await self._api.delete(MAKERS[child["kind"]], child)
        if left:
            return False
        selector = f"{MANAGED_BY_LABEL}={MANAGED_BY},{PIPELINE_LABEL}={metadata['name']}"
        pods, _ = await self._api.list_all(POD, metadata["namespace"], label_selector=selector)
        return not pods

    async def _clean(self, pipeline: StreamPipeline, memory: Memory) -> None:
        access = await self._access(pipeline, memory)
        metadata = pipeline.metadata
        owner = owner_of(metadata.namespace, metadata.name, metadata.uid)
        for keys in group_keys(pipeline):
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
        return access_of(pipeline, fetched)

    async def _let_go(self, live: Manifest, reason: str, why: str) -> None:
        metrics.LET_GO.labels(reason).inc()
        log.error(
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
            if error.status == 404:
                return live
            if error.status == 422:  # a failed test: it has changed since
                error.status = 409
            raise
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


def group_keys(pipeline: StreamPipeline) -> tuple[GroupKeys, ...]:
    """Of every group that is or was this pipeline's, as far as spec and status tell."""
    names = [group.consumer_group_name for group in pipeline.spec.groups]
    if pipeline.status is not None:
        names += [group.consumer_group or group.name for group in pipeline.status.groups]
        names += [group.consumer_group for group in pipeline.status.orphaned_groups]
    try:
        stream = StreamKeys(pipeline.spec.stream.name)
        return tuple(stream.for_group(name) for name in dict.fromkeys(names))
    except UnusableName:
        return ()


def _controller(child: Manifest) -> str | None:
    for reference in child["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return None


def _age(live: Manifest) -> float:
    """Seconds since the deletion was asked for, by the wall clocks of server and operator."""
    asked = datetime.fromisoformat(live["metadata"]["deletionTimestamp"])
    return (datetime.now(UTC) - asked).total_seconds()


def _named(live: Manifest) -> dict[str, str]:
    metadata = live["metadata"]
    return {"pipeline": key_of(metadata["namespace"], metadata["name"])}
