"""Carries a plan out, in its own order; writes nothing where the live object has it already.

Every later step is safe when an earlier one failed. So an error of one child is kept, and the next
has its turn. A stale observation is refused by the API server (each write carries uid and
resourceVersion), and the pipeline is looked at again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from headrace_api import FIELD_MANAGER
from headrace_operator import metrics
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.apply_diff import Difference
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import BY_KIND, DEPLOYMENT
from headrace_operator.plan import Apply, Delete, EnsureGroup, Plan, Scale
from headrace_operator.plan.observation import ChildRef, Failure, Manifest, Observation
from headrace_operator.plan.ownership import scale_of
from headrace_operator.reconcile.applied_children import (
    remember_applied,
    remember_rejection,
    to_put_right,
    was_rejected,
)
from headrace_operator.reconcile.consumer_groups import GroupOperations
from headrace_operator.reconcile.failures import failure_of
from headrace_operator.reconcile.memory import AppliedChildren, Memory
from headrace_operator.reconcile.rollouts import Place, Rollouts, comes_from_the_operator
from headrace_operator.reconcile.victims import Victims

logger = logging.getLogger(__name__)

# HTTP status where the object itself is refused: sending it again changes nothing.
REJECTED = (400, 403, 413, 422)
# So many requests without an answer, and the pass goes no further: the API server is away.
MAX_UNANSWERED = 3


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
        victims: Victims,
        rollouts: Rollouts,
    ) -> None:
        self._api = api
        self._cache = cache
        self._groups = groups
        self._victims = victims
        self._rollouts = rollouts

    async def carry_out(self, plan: Plan, observation: Observation, memory: Memory) -> ApplyResult:
        """Everything in the plan but status and events."""
        outcome = ApplyResult()
        known = memory.applied
        done = await self._operate_on_groups(plan, observation, memory, outcome)
        for ref, step in self._steps(plan, done, observation, memory, outcome):
            try:
                await step()
            except (ApiError, ApiUnreachable) as error:
                outcome.errors.append((ref, error))
            if outcome.is_over:
                break
        now = outcome.failures, frozenset(outcome.held)
        outcome.changed |= now != (known.failures, known.held)
        known.failures, known.held = now
        wanted = {apply.ref for apply in plan.applies}
        wanted |= {ChildRef("Deployment", scale.deployment) for scale in plan.scales}
        known.contained = {ref: c for ref, c in known.contained.items() if ref in wanted}
        known.rejections = {ref: r for ref, r in known.rejections.items() if ref in wanted}
        return outcome

    async def _operate_on_groups(
        self, plan: Plan, observation: Observation, memory: Memory, outcome: ApplyResult
    ) -> set[str]:
        """The groups whose operation is done. Claims are kept in the memory."""
        done: set[str] = set()
        access, claims = memory.connection.access, memory.groups.claims
        if access is not None and observation.redis_answers and not memory.groups.recalled:
            pipeline = observation.pipeline
            outcome.changed |= await self._groups.recall(pipeline, access, memory.groups)
        for operation in plan.group_operations:
            # A Redis that does not answer costs a time-out at most, not one for each group.
            if access is None or not observation.redis_answers:
                break
            before = claims.get(operation.group)
            is_done = await self._groups.carry_out(
                operation, observation.pipeline, access, memory.groups
            )
            if is_done:
                done.add(operation.group)
            claim = claims.get(operation.group)
            outcome.changed |= claim != before
            refused = claim is not None and not claim.unreachable
            if not is_done and not (isinstance(operation, EnsureGroup) and refused):
                break
        return done

    def _steps(
        self,
        plan: Plan,
        done: set[str],
        observation: Observation,
        memory: Memory,
        outcome: ApplyResult,
    ) -> Iterator[tuple[ChildRef, Callable[[], Awaitable[None]]]]:
        """Each call to the API server, with the child that it concerns, in the plan's order."""
        known = memory.applied
        for scale_in in plan.scale_ins:
            ref = ChildRef("Deployment", scale_in.deployment)
            access = memory.connection.access
            yield ref, partial(self._victims.mark, scale_in, observation, access)
        for scale in plan.scales:
            ref = ChildRef("Deployment", scale.deployment)
            yield ref, partial(self._scale, scale, observation, known, outcome)
        for apply in plan.applies:
            if apply.ref not in observation.unreadable:
                yield apply.ref, partial(self._apply, apply, observation, known, outcome)
        for delete in plan.deletes:
            if delete.after_group is None or delete.after_group in done:
                yield delete.ref, partial(self._delete, delete, observation, outcome)

    async def _apply(
        self,
        apply: Apply,
        observation: Observation,
        known: AppliedChildren,
        outcome: ApplyResult,
    ) -> None:
        live = observation.children.get(apply.ref) if apply.uid else None
        found: list[Difference] = []
        if live is not None:
            found = to_put_right(apply, live, known)
            if not found:
                return
            if self._waits_for_its_turn(apply, live, observation):
                outcome.held.add(apply.ref)
                await self._follow_replicas(apply, live, observation, known, outcome)
                return
            logger.info(
                "%s %s differs: %s",
                *apply.ref,
                ", ".join(sorted(map(str, found))[:5]),
                extra={"pipeline": observation.pipeline.name},
            )
        if was_rejected(apply, known, observation.clock):
            return
        try:
            live = await self._api.apply(apply.request)
        except ApiError as error:
            if error.terminating:
                outcome.terminating = True
                return
            if error.status not in REJECTED:
                raise
            is_new = remember_rejection(apply, error.message, known, observation.clock)
            level = logging.WARNING if is_new else logging.DEBUG
            logger.log(level, "%s %s is refused: %s", *apply.ref, error.message)
            outcome.changed |= is_new
            return
        metrics.APPLIES.labels(apply.ref.kind).inc()
        self._cache.put(BY_KIND[apply.ref.kind], live)
        outcome.changed = True
        outcome.applied.add(apply.ref)
        remember_applied(apply, found, live, known)

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
        known: AppliedChildren,
        outcome: ApplyResult,
    ) -> None:
        """The backlog does not wait: the Deployment is scaled as it is."""
        wanted = apply.manifest["spec"].get("replicas")
        if wanted is not None and wanted != live["spec"].get("replicas"):
            scale = scale_of(live, wanted, FIELD_MANAGER)
            await self._scale(scale, observation, known, outcome)

    async def _scale(
        self,
        scale: Scale,
        observation: Observation,
        known: AppliedChildren,
        outcome: ApplyResult,
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
        known.digests.pop(ref, None)  # it is not quite as it was applied any more

    async def _delete(self, delete: Delete, observation: Observation, outcome: ApplyResult) -> None:
        kind = BY_KIND[delete.ref.kind]
        namespace = observation.pipeline.namespace
        target = {"namespace": namespace, "name": delete.ref.name, "uid": delete.uid}
        metadata = {**target, "resourceVersion": delete.resource_version}
        await self._api.delete(kind, {"metadata": metadata})
        logger.info("deleted %s %s", *delete.ref)
        self._cache.remove(kind, {"metadata": target})
        outcome.changed = True


def _is_conflict(error: ApiError | ApiUnreachable) -> bool:
    return isinstance(error, ApiError) and error.is_conflict
