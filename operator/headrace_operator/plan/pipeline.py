"""The plan of one pipeline, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace_api.v1alpha1 import Group, Reason, ScalingMode, StreamPipeline
from headrace_operator.plan import conditions, problems, references
from headrace_operator.plan import status as reports
from headrace_operator.plan.actions import (
    EnsureGroup,
    Event,
    GroupOperation,
    Plan,
    Rescale,
    Settings,
    Workers,
)
from headrace_operator.plan.children import Children, plan_children, wanted_children
from headrace_operator.plan.group import GroupView, decision_for, view
from headrace_operator.plan.observation import ChildRef, ClaimState, Observation
from headrace_operator.plan.removed_groups import GroupRemoval, group_removals
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.decide import ScalingDecision

RETRY = 10.0  # seconds until what failed outside Kubernetes is tried again


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `observe` must look at beyond its caches.

    children: a name among these that no cache holds needs a live GET (it may be a stranger's).
    secrets, config_maps: the user's objects to GET for Observation.references.
    """

    children: tuple[ChildRef, ...]
    secrets: frozenset[str]
    config_maps: frozenset[str]


def wanted(pipeline: StreamPipeline) -> Wanted:
    """Names everything a plan for `pipeline` would touch or read. Pure."""
    named = references.connection_references(pipeline)
    for group in pipeline.spec.groups:
        named += references.group_references(group)
    return Wanted(
        children=wanted_children(pipeline),
        secrets=frozenset(ref.name for ref in named if ref.kind == "Secret"),
        config_maps=frozenset(ref.name for ref in named if ref.kind == "ConfigMap"),
    )


def plan(observation: Observation, settings: Settings) -> Plan:
    """Says all there is to do for one pipeline that is not being deleted. Pure."""
    pipeline = observation.pipeline
    views = [view(observation, group) for group in pipeline.spec.groups]
    unsupported = problems.unsupported(pipeline)
    if unsupported is not None:
        nothing = [
            ScalingDecision(v.replicas, Cause.NOT_IMPLEMENTED, "nothing is run") for v in views
        ]
        held = list(zip(views, nothing, strict=True))
        return _report(observation, held, [unsupported], Children(), ())

    groups = [(seen, decision_for(observation, seen)) for seen in views]
    children = plan_children(observation, settings, groups)
    leaving = tuple(group_removals(observation))
    found = [problems.name_conflict(ref) for ref in children.conflicts]
    found += problems.find(observation, views)
    return _report(observation, groups, found, children, leaving)


def _report(
    observation: Observation,
    groups: Sequence[tuple[GroupView, ScalingDecision | None]],
    found: Sequence[problems.Problem],
    children: Children,
    leaving: Sequence[GroupRemoval],
) -> Plan:
    """Puts the status and the next look beside what was decided."""
    found_conditions = list(conditions.conditions(observation, groups, found, children.waiting_for))
    status = reports.status(observation, groups, found_conditions, _orphaned(observation, leaving))
    written = observation.status_written_at
    since = None if written is None else observation.clock - written
    status_due = reports.due(status, observation.live_status, since)
    decisions = {seen.group.name: decision for seen, decision in groups if decision is not None}
    return Plan(
        group_operations=(*_claims(observation, found), *_operations(leaving)),
        scale_ins=tuple(children.scale_ins),
        scales=(*children.scales, *(d.scale for d in leaving if d.scale is not None)),
        applies=tuple(children.applies),
        deletes=(*children.deletes, *(d.delete for d in leaving if d.delete is not None)),
        status=status,
        status_due=status_due,
        requeue_after=_next_look(decisions, status_due, found),
        events=tuple(_events(observation, status)),
        rescales=tuple(_rescales(groups)),
        history={name: decision.history for name, decision in decisions.items()},
        decisions=decisions,
        workers=tuple(_workers(seen, decision) for seen, decision in groups),
    )


def _claims(
    observation: Observation, found: Sequence[problems.Problem]
) -> Iterator[GroupOperation]:
    """Every group that is not claimed by us, or that Redis has lost, is (re)made and claimed."""
    if any(problem.reason is Reason.NOT_IMPLEMENTED for problem in found):
        return
    # A reconciler that waits for a stuck Redis is kept from other pipelines: the poller asks first.
    if not observation.redis_answers or observation.redis_error is not None:
        return
    for group in observation.pipeline.spec.groups:
        claim = observation.claims.get(group.name)
        if claim is None or claim.state is not ClaimState.OURS or _is_lost(observation, group):
            yield EnsureGroup(group.name)


def _is_lost(observation: Observation, group: Group) -> bool:
    """Missing on the server, or ahead of its stream where its start does not want it (as
    ensure_groups.lua has it): at 0 workers nobody else would set it back."""
    if observation.backlog is None or observation.backlog.error is not None:
        return False
    backlog = observation.backlog.groups.get(group.consumer_group_name)
    if backlog is None:
        return False
    misplaced = backlog.ahead_of_stream and backlog.last_delivered_id != group.start.redis_id
    return misplaced or not backlog.exists


def _operations(leaving: Sequence[GroupRemoval]) -> Iterator[GroupOperation]:
    return (d.operation for d in leaving if d.operation is not None)


def _orphaned(observation: Observation, leaving: Sequence[GroupRemoval]) -> list[tuple[str, str]]:
    """(name, consumer group) of what Retain left behind; one that came back is no orphan."""
    present = {group.consumer_group_name for group in observation.pipeline.spec.groups}
    before = observation.live_status.get("orphanedGroups") or ()
    found = {entry["consumerGroup"]: entry["name"] for entry in before}
    found |= {d.consumer_group: d.group for d in leaving if d.orphaned}
    return [(name, group) for group, name in sorted(found.items()) if group not in present]


def _next_look(
    decisions: Mapping[str, ScalingDecision],
    status_due: float | None,
    found: Sequence[problems.Problem],
) -> float | None:
    looks = [d.requeue_after for d in decisions.values() if d.requeue_after is not None]
    if status_due:
        looks.append(status_due)
    if found:
        looks.append(RETRY)
    return min(looks, default=None)


def _rescales(groups: Sequence[tuple[GroupView, ScalingDecision | None]]) -> Iterator[Rescale]:
    for seen, decision in groups:
        if decision is not None and decision.replicas != seen.replicas:
            yield Rescale(
                seen.group.name,
                ChildRef("Deployment", seen.deployment),
                seen.replicas,
                decision.replicas,
                decision.cause,
                decision.reason,
            )


def _workers(seen: GroupView, decision: ScalingDecision | None) -> Workers:
    automatic = seen.group.scaling.mode is ScalingMode.AUTOMATIC
    return Workers(
        group=seen.group.name,
        consumer_group=seen.group.consumer_group_name,
        wanted=seen.replicas if decision is None else decision.replicas,
        running=len(seen.pods),
        ready=len(seen.ready_pods),
        most=seen.group.scaling.max_replicas if automatic else None,
        cause=None if decision is None else decision.cause,
    )


def _events(observation: Observation, status: Mapping[str, Any]) -> Iterator[Event]:
    """Events for people: each change of Ready's reason."""
    ready = _ready(status)
    before = _ready(observation.live_status)
    if before is None or ready["reason"] != before.get("reason"):
        healthy = ready["status"] == "True" or ready["reason"] == Reason.PROGRESSING
        kind = "Normal" if healthy else "Warning"
        yield Event(kind, ready["reason"], ready["message"])


def _ready(status: Mapping[str, Any]) -> Any:
    conditions = status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == "Ready"), None)
