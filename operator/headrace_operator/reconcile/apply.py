"""Carries a plan out, in its own order; writes nothing where the live object has it already.

Every later step is safe when an earlier one crashed. A stale observation is refused by the API
server (each write carries uid and resourceVersion); it raises and the pipeline is looked at again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from headrace.streams.keys import StreamKeys
from headrace_operator import metrics
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiServer
from headrace_operator.kube.apply_diff import Difference, differences, readable
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import BY_KIND, POD
from headrace_operator.plan import Apply, Delete, Plan, Scale, ScaleIn, victims
from headrace_operator.plan.observation import ChildRef, Observation
from headrace_operator.plan.pod_health import DELETION_COST
from headrace_operator.reconcile.consumer_groups import REDIS_TROUBLE, GroupOperations
from headrace_operator.reconcile.memory import Memory, Rejection

log = logging.getLogger(__name__)

REJECTED = (400, 403, 413, 422)  # the object itself is refused: sending it again changes nothing
RETRY_REJECTED = 60.0


@dataclass(slots=True)
class ApplyResult:
    """``changed``: the world or what is known of it changed, so another look is due at once.

    ``applied``: the children that were written, or scaled.
    """

    changed: bool = False
    terminating: bool = False
    applied: set[ChildRef] = field(default_factory=set)


class Applier:
    def __init__(
        self, api: ApiServer, cache: Cache, groups: GroupOperations, redis: RedisAccess
    ) -> None:
        self._api = api
        self._cache = cache
        self._groups = groups
        self._redis = redis

    async def carry_out(
        self, plan: Plan, observation: Observation, memory: Memory, outcome: ApplyResult
    ) -> None:
        """Everything in the plan but status and events; fills ``outcome``.

        Raises ApiError, ApiUnreachable.
        """
        memory.history = plan.history
        done: set[str] = set()
        for operation in plan.group_operations:
            before = memory.claims.get(operation.group)
            if await self._groups.carry_out(operation, observation.pipeline, memory):
                done.add(operation.group)
            outcome.changed |= memory.claims.get(operation.group) != before
        for scale_in in plan.scale_ins:
            await self._mark_victims(scale_in, observation, memory)
        for scale in plan.scales:
            await self._scale(scale, observation)
            outcome.applied.add(ChildRef("Deployment", scale.deployment))
            outcome.changed = True
        for apply in plan.applies:
            await self._apply(apply, observation, memory, outcome)
            if outcome.terminating:
                return
        wanted = {apply.ref for apply in plan.applies}
        wanted |= {ChildRef("Deployment", scale.deployment) for scale in plan.scales}
        memory.contained = {ref: c for ref, c in memory.contained.items() if ref in wanted}
        memory.rejections = {ref: r for ref, r in memory.rejections.items() if ref in wanted}
        for delete in plan.deletes:
            if delete.after_group is None or delete.after_group in done:
                await self._delete(delete, observation)
                outcome.changed = True

    async def _apply(
        self,
        apply: Apply,
        observation: Observation,
        memory: Memory,
        outcome: ApplyResult,
    ) -> None:
        live = observation.children.get(apply.ref) if apply.uid else None
        found: list[Difference] = []
        if live is not None:
            checked = (live["metadata"]["resourceVersion"], apply.digest)
            if memory.contained.get(apply.ref) == checked:
                memory.rejections.pop(apply.ref, None)  # of another manifest, taken back since
                return
            known = memory.unsettled.get(apply.ref, frozenset())
            found = [d for d in differences(apply.manifest, live) if d.path not in known]
            if not found:
                memory.contained[apply.ref] = checked
            if not found or not memory.conflicts.allow(apply.ref, found):
                memory.rejections.pop(apply.ref, None)
                return
            log.info(
                "%s %s differs: %s",
                *apply.ref,
                ", ".join(sorted(map(str, found))[:5]),
                extra={"pipeline": observation.pipeline.name},
            )
        earlier = memory.rejections.get(apply.ref)
        if (
            earlier is not None
            and earlier.manifest == apply.manifest
            and observation.clock < earlier.at + RETRY_REJECTED
        ):
            return
        identity = {}
        if apply.uid is not None:
            identity = {"uid": apply.uid, "resourceVersion": apply.resource_version}
        manifest = {**apply.manifest, "metadata": {**apply.manifest["metadata"], **identity}}
        try:
            seen = await self._api.apply(manifest)
        except ApiError as error:
            if error.terminating:
                outcome.terminating = True
                return
            if error.status not in REJECTED:
                raise
            log.warning("%s %s is refused: %s", *apply.ref, error.message)
            memory.rejections[apply.ref] = Rejection(
                error.message, apply.manifest, observation.clock
            )
            outcome.changed |= earlier is None or earlier.message != error.message
            return
        memory.conflicts.count(apply.ref, found)
        metrics.APPLIES.labels(apply.ref.kind).inc()
        memory.rejections.pop(apply.ref, None)
        self._cache.put(BY_KIND[apply.ref.kind], seen)
        outcome.changed = True
        outcome.applied.add(apply.ref)
        if remaining := frozenset(d.path for d in differences(apply.manifest, seen)):
            # Without this, such a field would be applied again and again, for ever.
            log.warning(
                "the API server stores %s %s otherwise than it was sent: %s",
                *apply.ref,
                ", ".join(sorted(map(readable, remaining))),
            )
            memory.unsettled[apply.ref] = remaining

    async def _scale(self, scale: Scale, observation: Observation) -> None:
        await self._api.apply_scale(
            observation.pipeline.namespace,
            scale.deployment,
            scale.replicas,
            uid=scale.uid,
            resource_version=scale.resource_version,
            manager=scale.manager,
        )

    async def _delete(self, delete: Delete, observation: Observation) -> None:
        kind = BY_KIND[delete.ref.kind]
        namespace = observation.pipeline.namespace
        target = {"metadata": {"namespace": namespace, "name": delete.ref.name, "uid": delete.uid}}
        await self._api.delete(kind, target)
        log.info("deleted %s %s", *delete.ref)
        self._cache.remove(kind, target)

    async def _mark_victims(
        self, scale_in: ScaleIn, observation: Observation, memory: Memory
    ) -> None:
        """The pods that hold least go first. A hint: without it any pod may go, nothing is lost."""
        holdings = await self._holdings(scale_in.consumer_group, observation, memory)
        namespace = observation.pipeline.namespace
        for pod, cost in victims(scale_in, holdings).items():
            patch = {"metadata": {"annotations": {DELETION_COST: str(cost) if cost else None}}}
            try:
                await self._api.merge_patch(POD, namespace, pod, patch)
            except ApiError as error:
                if error.status != 404:
                    raise

    async def _holdings(
        self, group: str, observation: Observation, memory: Memory
    ) -> dict[str, int]:
        """Consumer -> entries pending on it, replayed ones too; less than all where Redis fails."""
        found: dict[str, int] = {}
        if memory.access is None or observation.redis_error is not None:
            return found
        keys = StreamKeys(observation.pipeline.spec.stream.name).for_group(group)
        try:
            client = self._redis.client(memory.access)
            for stream in (keys.stream, keys.replay):
                for consumer in await client.xinfo_consumers(stream, group):
                    name = _text(consumer["name"])
                    found[name] = found.get(name, 0) + int(consumer["pending"])
        except REDIS_TROUBLE as error:
            log.info("pods to remove are chosen without knowing what they hold: %s", error)
        return found


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
