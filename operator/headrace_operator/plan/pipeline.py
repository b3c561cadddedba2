"""The plan of one pipeline, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.streams.ids import parse_id
from headrace_api.v1alpha1 import Group, StartFrom
from headrace_operator.identity import owner_of_pipeline
from headrace_operator.plan import problems
from headrace_operator.plan.actions import (
    EnsureGroup,
    GroupOperation,
    Plan,
    PlanSettings,
    Rescale,
    Workers,
)
from headrace_operator.plan.children import Children, plan_children
from headrace_operator.plan.conditions import conditions_of
from headrace_operator.plan.events import events_of
from headrace_operator.plan.group import GroupPlan, decide_replicas, view_group
from headrace_operator.plan.observation import ChildRef, ClaimState, Observation
from headrace_operator.plan.orphans import find_orphans
from headrace_operator.plan.removed_groups import GroupRemoval, claims_left_behind, group_removals
from headrace_operator.plan.rendered import RenderedPipeline
from headrace_operator.plan.status import brings_only_figures, due, status_of

# Until what is wrong is tried again: it may have been mended where no watch looks.
RETRY_SECONDS = 8.0


def plan(
    observation: Observation, settings: PlanSettings, rendered: RenderedPipeline | None = None
) -> Plan:
    """Says all there is to do for one pipeline that is not being deleted. Pure.

    `rendered` saves work where the spec is the same as in an earlier plan.
    """
    pipeline = observation.pipeline
    if rendered is None or not rendered.is_of(pipeline, settings):
        rendered = RenderedPipeline(pipeline, settings)
    views = [view_group(observation, group) for group in rendered.groups]
    groups = [
        GroupPlan(of_group, view, decide_replicas(observation, view))
        for of_group, view in zip(rendered.groups, views, strict=True)
    ]
    children = plan_children(observation, rendered, groups)
    removals = tuple(group_removals(observation, rendered.wanted.children))
    removals += tuple(claims_left_behind(observation, removals))
    found = [problems.name_conflict(ref) for ref in children.conflicts]
    found += problems.find(observation, rendered, groups)
    return _report(observation, groups, found, children, removals)


def _report(
    observation: Observation,
    groups: Sequence[GroupPlan],
    found: Sequence[problems.Problem],
    children: Children,
    removals: Sequence[GroupRemoval],
) -> Plan:
    """Puts the status and the next pass beside what was decided."""
    orphans = find_orphans(observation, removals)
    conditions = list(conditions_of(observation, groups, found, children.waiting_for, orphans))
    status = status_of(observation, groups, conditions, orphans)
    written = observation.status_written_at
    since = None if written is None else observation.clock - written
    status_due = due(status, observation.live_status, since)
    return Plan(
        group_operations=(*_claims(observation, found), *_operations(removals)),
        scale_ins=tuple(children.scale_ins),
        scales=(*children.scales, *(r.scale for r in removals if r.scale is not None)),
        applies=tuple(children.applies),
        deletes=(*children.deletes, *(r.delete for r in removals if r.delete is not None)),
        status=status,
        status_due=status_due,
        only_figures=brings_only_figures(status, observation.live_status),
        asks_again=any(g.decision is not None and g.decision.asks_again for g in groups),
        requeue_after=_requeue_after(groups, status_due, found),
        events=tuple(events_of(observation, status)),
        rescales=tuple(_rescales(groups)),
        history={g.name: g.decision.history for g in groups if g.decision is not None},
        workers=tuple(_workers(group) for group in groups),
    )


def _claims(
    observation: Observation, found: Sequence[problems.Problem]
) -> Iterator[GroupOperation]:
    """Every group that is not claimed by us, or that Redis has lost, is (re)made and claimed."""
    # A reconciler that waits for a stuck Redis is kept from other pipelines: the poller asks first.
    if not observation.redis_answers or observation.redis_error is not None:
        return
    for group in observation.pipeline.spec.groups:
        claim = observation.claims.get(group.name)
        if claim is None or claim.state is not ClaimState.OURS or _is_lost(observation, group):
            yield EnsureGroup(group.name)


def _is_lost(observation: Observation, group: Group) -> bool:
    """Missing on the server, no longer claimed by us, or ahead of its stream where its start does
    not want it (as ensure_groups.lua has it): at 0 workers nobody else would set it back."""
    if observation.backlog is None or observation.backlog.error is not None:
        return False
    backlog = observation.backlog.groups.get(group.consumer_group_name)
    if backlog is None:
        return False
    if backlog.owner != owner_of_pipeline(observation.pipeline):
        return True  # the claim was evicted, taken or given up
    misplaced = backlog.ahead_of_stream and not _starts_at(group, backlog.last_delivered_id)
    return misplaced or not backlog.exists


def _starts_at(group: Group, last_delivered_id: str | None) -> bool:
    """Whether the manifest starts the group at that very id, however it is written there."""
    if last_delivered_id is None or group.start.from_ is not StartFrom.ID:
        return False
    return parse_id(group.start.redis_id) == parse_id(last_delivered_id)


def _operations(removals: Sequence[GroupRemoval]) -> Iterator[GroupOperation]:
    return (r.operation for r in removals if r.operation is not None)


def _requeue_after(
    groups: Sequence[GroupPlan], status_due: float | None, found: Sequence[problems.Problem]
) -> float | None:
    delays = [group.decision.requeue_after for group in groups if group.decision is not None]
    if status_due:
        delays.append(status_due)
    if found:
        delays.append(RETRY_SECONDS)
    return min((delay for delay in delays if delay is not None), default=None)


def _rescales(groups: Sequence[GroupPlan]) -> Iterator[Rescale]:
    for group in groups:
        view, decision = group.view, group.decision
        if decision is not None and decision.replicas != view.replicas:
            yield Rescale(
                group.name,
                ChildRef("Deployment", view.deployment),
                view.replicas,
                decision.replicas,
                decision.cause,
                decision.reason,
            )


def _workers(group: GroupPlan) -> Workers:
    return Workers(
        group=group.name,
        consumer_group=group.view.group.consumer_group_name,
        wanted=group.wanted_replicas,
        running=len(group.view.pods),
        ready=len(group.view.ready_pods),
        max_replicas=group.view.group.scaling.max_replicas if group.view.is_automatic else None,
        cause=None if group.decision is None else group.decision.cause,
    )
