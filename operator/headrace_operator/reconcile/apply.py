"""Carries a plan out, in its own order; writes nothing where the live object has it already.

Every later step is safe when an earlier one failed. So an error of one child is kept, and the next
has its turn. A stale observation is refused by the API server (each write carries uid and
resourceVersion), and the pipeline is looked at again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.keys import StreamKeys
from headrace_api import FIELD_MANAGER
from headrace_operator import metrics
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.apply_diff import Difference, differences, readable
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import BY_KIND, DEPLOYMENT, POD
from headrace_operator.plan import Apply, Delete, EnsureGroup, Plan, Scale, ScaleIn, victims
from headrace_operator.plan.observation import ChildRef, Failure, Manifest, Observation
from headrace_operator.plan.ownership import scale_of
from headrace_operator.plan.pod_health import DELETION_COST
from headrace_operator.reconcile.consumer_groups import GroupOperations
from headrace_operator.reconcile.failures import failure_of
from headrace_operator.reconcile.memory import Memory, Rejection
from headrace_operator.reconcile.rollouts import Place, Rollouts, comes_from_the_operator

logger = logging.getLogger(__name__)

REJECTED = (400, 403, 413, 422)  # the object itself is refused: sending it again changes nothing
RETRY_REJECTED = 60.0
# So many requests without an answer, and the pass goes no further: the API server is away.
MAX_UNANSWERED = 3
# Who else may write as our field manager: the operator of a second installation.
ANOTHER_OPERATOR = "another Headrace operator"


@dataclass(slots=True)
class ApplyResult:
    """`changed`: the world or what is known of it changed, so another look is due at once.

    `applied`: the children that were written, or scaled. `held`: Deployments that are not, as
    their update waits for its turn. `errors`: what was not done, and why.
    """

    changed: bool = False
    terminating: bool = False
    applied: set[ChildRef] = field(default_factory=set)
    held: set[ChildRef] = field(default_factory=set)
    errors: list[tuple[ChildRef, ApiError | ApiUnreachable]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Nothing more can be done in this pass."""
        unanswered = sum(isinstance(error, ApiUnreachable) for _, error in self.errors)
        return self.terminating or unanswered >= MAX_UNANSWERED

    @property
    def worst_error(self) -> ApiError | ApiUnreachable:
        """One that is no mere conflict, if there is any."""
        return min((error for _, error in self.errors), key=_is_conflict)

    @property
    def saw_too_early(self) -> bool:
        """A child had changed since it was observed, and is not as planned."""
        return any(_is_conflict(error) for _, error in self.errors)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The errors for people. What was merely seen too early is none."""
        return tuple(failure_of(e, ref) for ref, e in self.errors if not _is_conflict(e))


class Applier:
    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        groups: GroupOperations,
        redis: RedisAccess,
        rollouts: Rollouts,
    ) -> None:
        self._rollouts = rollouts
        self._api = api
        self._cache = cache
        self._groups = groups
        self._redis = redis

    async def carry_out(self, plan: Plan, observation: Observation, memory: Memory) -> ApplyResult:
        """Everything in the plan but status and events."""
        outcome = ApplyResult()
        memory.history = plan.history
        done: set[str] = set()
        for operation in plan.group_operations:
            # A Redis that does not answer costs a time-out at most, not one for each group.
            if not observation.redis_answers:
                break
            before = memory.claims.get(operation.group)
            is_done = await self._groups.carry_out(operation, observation.pipeline, memory)
            if is_done:
                done.add(operation.group)
            claim = memory.claims.get(operation.group)
            outcome.changed |= claim != before
            refused = claim is not None and not claim.unreachable
            if not is_done and not (isinstance(operation, EnsureGroup) and refused):
                break
        for ref, step in self._steps(plan, done, observation, memory, outcome):
            try:
                await step()
            except (ApiError, ApiUnreachable) as error:
                outcome.errors.append((ref, error))
            if outcome.is_over:
                break
        known, memory.failures = memory.failures, outcome.failures
        outcome.changed |= known != memory.failures
        held, memory.held = memory.held, frozenset(outcome.held)
        outcome.changed |= held != memory.held
        wanted = {apply.ref for apply in plan.applies}
        wanted |= {ChildRef("Deployment", scale.deployment) for scale in plan.scales}
        memory.contained = {ref: c for ref, c in memory.contained.items() if ref in wanted}
        memory.rejections = {ref: r for ref, r in memory.rejections.items() if ref in wanted}
        return outcome

    def _steps(
        self,
        plan: Plan,
        done: set[str],
        observation: Observation,
        memory: Memory,
        outcome: ApplyResult,
    ) -> Iterator[tuple[ChildRef, Callable[[], Awaitable[None]]]]:
        """Each call to the API server, with the child that it concerns, in the plan's order."""
        for scale_in in plan.scale_ins:
            ref = ChildRef("Deployment", scale_in.deployment)
            yield ref, partial(self._mark_victims, scale_in, observation, memory)
        for scale in plan.scales:
            ref = ChildRef("Deployment", scale.deployment)
            yield ref, partial(self._scale, scale, observation, memory, outcome)
        for apply in plan.applies:
            if apply.ref not in observation.unreadable:
                yield apply.ref, partial(self._apply, apply, observation, memory, outcome)
        for delete in plan.deletes:
            if delete.after_group is None or delete.after_group in done:
                yield delete.ref, partial(self._delete, delete, observation, outcome)

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
            found = self._to_put_right(apply, live, memory)
            if not found:
                return
            if self._waits_for_its_turn(apply, live, observation):
                outcome.held.add(apply.ref)
                await self._follow_replicas(apply, live, observation, memory, outcome)
                return
            logger.info(
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
            logger.warning("%s %s is refused: %s", *apply.ref, error.message)
            memory.rejections[apply.ref] = Rejection(
                error.message, apply.manifest, observation.clock
            )
            outcome.changed |= earlier is None or earlier.message != error.message
            return
        memory.conflicts.count(apply.ref, found)
        memory.applied[apply.ref] = apply.digest
        metrics.APPLIES.labels(apply.ref.kind).inc()
        memory.rejections.pop(apply.ref, None)
        self._cache.put(BY_KIND[apply.ref.kind], seen)
        outcome.changed = True
        outcome.applied.add(apply.ref)
        if remaining := frozenset(d.path for d in differences(apply.manifest, seen)):
            # Without this, such a field would be applied again and again, for ever.
            logger.warning(
                "the API server stores %s %s otherwise than it was sent: %s",
                *apply.ref,
                ", ".join(sorted(map(readable, remaining))),
            )
            memory.unsettled[apply.ref] = apply.digest, remaining
        else:
            memory.unsettled.pop(apply.ref, None)

    def _to_put_right(self, apply: Apply, live: Manifest, memory: Memory) -> list[Difference]:
        """What an apply would change; empty when there is nothing, or nothing may be done now."""
        checked = (live["metadata"]["resourceVersion"], apply.digest)
        if memory.contained.get(apply.ref) == checked:
            memory.rejections.pop(apply.ref, None)  # of another manifest, taken back since
            return []
        digest, fields = memory.unsettled.get(apply.ref, ("", frozenset()))
        known = fields if digest == apply.digest else frozenset()
        found = [d for d in differences(apply.manifest, live) if d.path not in known]
        if memory.applied.get(apply.ref) == apply.digest:
            found = [_written_by_another(one) for one in found]
        if not found:
            memory.contained[apply.ref] = checked
        if not found or not memory.conflicts.allow(apply.ref, found):
            memory.rejections.pop(apply.ref, None)
            return []
        return found

    def _waits_for_its_turn(self, apply: Apply, live: Manifest, observation: Observation) -> bool:
        if apply.ref.kind != DEPLOYMENT.kind:
            return False
        place = Place(observation.pipeline.key, apply.ref.name)
        if comes_from_the_operator(live, apply.manifest, observation):
            return not self._rollouts.may_begin(place)
        self._rollouts.settle(place)
        return False

    async def _follow_replicas(
        self,
        apply: Apply,
        live: Manifest,
        observation: Observation,
        memory: Memory,
        outcome: ApplyResult,
    ) -> None:
        """The backlog does not wait: the Deployment is scaled as it is."""
        wanted = apply.manifest["spec"].get("replicas")
        if wanted is not None and wanted != live["spec"].get("replicas"):
            scale = scale_of(live, wanted, FIELD_MANAGER)
            await self._scale(scale, observation, memory, outcome)

    async def _scale(
        self, scale: Scale, observation: Observation, memory: Memory, outcome: ApplyResult
    ) -> None:
        await self._api.apply_scale(
            observation.pipeline.namespace,
            scale.deployment,
            scale.replicas,
            uid=scale.uid,
            resource_version=scale.resource_version,
            manager=scale.manager,
        )
        ref = ChildRef("Deployment", scale.deployment)
        outcome.applied.add(ref)
        outcome.changed = True
        memory.applied.pop(ref, None)  # it is not quite as it was applied any more

    async def _delete(self, delete: Delete, observation: Observation, outcome: ApplyResult) -> None:
        kind = BY_KIND[delete.ref.kind]
        namespace = observation.pipeline.namespace
        target = {"namespace": namespace, "name": delete.ref.name, "uid": delete.uid}
        seen = {**target, "resourceVersion": delete.resource_version}
        await self._api.delete(kind, {"metadata": seen})
        logger.info("deleted %s %s", *delete.ref)
        self._cache.remove(kind, {"metadata": target})
        outcome.changed = True

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
                if not error.is_missing:
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
            client = await self._redis.client(memory.access, keys.stream)
            for stream in (keys.stream, keys.replay):
                for consumer in await client.xinfo_consumers(stream, group):
                    name = _text(consumer["name"])
                    found[name] = found.get(name, 0) + int(consumer["pending"])
        except REDIS_ERRORS as error:
            logger.info("pods to remove are chosen without knowing what they hold: %s", error)
        return found


def _is_conflict(error: ApiError | ApiUnreachable) -> bool:
    return isinstance(error, ApiError) and error.is_conflict


def _written_by_another(difference: Difference) -> Difference:
    """Of what we applied ourselves: a field of ours with another value is not of our making."""
    return replace(difference, taken_by=ANOTHER_OPERATOR) if difference.is_ours else difference


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
