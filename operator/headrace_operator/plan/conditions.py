"""The conditions of one pipeline, from its problems and its groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.streams.backlog import Quality, StreamBacklog
from headrace.streams.ids import parse_id
from headrace_api.v1alpha1 import ConditionType, Reason, Trim, TrimPolicy
from headrace_operator.plan import job_health, ownership
from headrace_operator.plan.condition_list import Condition
from headrace_operator.plan.group import GroupPlan, GroupView
from headrace_operator.plan.observation import ChildRef, Observation
from headrace_operator.plan.orphans import Orphans
from headrace_operator.plan.persistence import persistence_risk
from headrace_operator.plan.problems import Problem
from headrace_operator.plan.trim_reports import last_trim
from headrace_operator.scaling.causes import Cause

# Why a group's workers do not follow its backlog; of several groups the gravest counts.
_INACTIVE = {
    Cause.GROUP_CONFLICT: Reason.GROUP_CONFLICT,
    Cause.WORKERS_CRASHING: Reason.WORKERS_CRASHING,
    Cause.FALLBACK: Reason.FALLBACK,
    Cause.BACKLOG_UNKNOWN: Reason.BACKLOG_UNKNOWN,
    Cause.NOT_CLAIMED: Reason.PROGRESSING,
}

_JOBS = {"trim": ConditionType.TRIM_FAILED, "reclaim": ConditionType.RECLAIM_FAILED}


def conditions_of(
    observation: Observation,
    groups: Sequence[GroupPlan],
    problems: Sequence[Problem],
    waiting_for: Sequence[str],
    orphans: Orphans,
) -> Iterator[Condition]:
    """`waiting_for`: what is under way without being a problem, for people."""
    views = [group.view for group in groups]
    yield from _readiness(observation, groups, problems, waiting_for)
    yield _scaling_active(observation, groups)
    yield _backlog_known(observation, views)
    held = _trim_held_back(observation, orphans)
    if held is not None:
        yield held
    yield from _job_conditions(observation)
    risk = persistence_risk(observation)
    if risk is not None:
        yield risk
    conflicts = [p.message for p in problems if p.reason is Reason.CONFLICT]
    if conflicts:
        yield Condition(ConditionType.CONFLICT, True, Reason.CONFLICT, "; ".join(conflicts))


def _readiness(
    observation: Observation,
    groups: Sequence[GroupPlan],
    problems: Sequence[Problem],
    waiting_for: Sequence[str],
) -> Iterator[Condition]:
    """Ready, and Stalled or Reconciling while it is not."""
    if problems:
        worst = sorted(problems, key=lambda p: not p.stalled)
        message = "; ".join(dict.fromkeys(p.message for p in worst))
        yield Condition(ConditionType.READY, False, worst[0].reason, message)
        kind = ConditionType.STALLED if worst[0].stalled else ConditionType.RECONCILING
        yield Condition(kind, True, worst[0].reason, message)
    elif waiting_for:
        message = "; ".join(waiting_for)
        yield Condition(ConditionType.READY, False, Reason.PROGRESSING, message)
        yield Condition(ConditionType.RECONCILING, True, Reason.PROGRESSING, message)
    elif observation.pipeline.spec.suspend:
        message = "suspended: no workers and no jobs run; set spec.suspend to false to go on"
        yield Condition(ConditionType.READY, True, Reason.SUSPENDED, message)
    elif all(group.wanted_replicas == 0 for group in groups):
        yield from _at_zero(observation, groups)
    else:
        yield Condition(ConditionType.READY, True, Reason.AVAILABLE, "workers follow the spec")
    if observation.held and not problems and not waiting_for:
        groups_held = (g.name for g in groups if _deployment(g) in observation.held)
        message = (
            f"workers of {', '.join(groups_held)} run as an earlier version of the operator, or of"
            " its default image, made them: they are updated a few pipelines at a time"
        )
        yield Condition(ConditionType.RECONCILING, True, Reason.UPDATE_WAITING, message)


def _deployment(group: GroupPlan) -> ChildRef:
    return ChildRef("Deployment", group.view.deployment)


def _at_zero(observation: Observation, groups: Sequence[GroupPlan]) -> Iterator[Condition]:
    automatic = [group.view for group in groups if group.view.is_automatic]
    if automatic and observation.backlog is None and observation.redis_error is None:
        message = "the backlog is not read yet, so it is not known whether workers are needed"
        yield Condition(ConditionType.READY, False, Reason.PROGRESSING, message)
        yield Condition(ConditionType.RECONCILING, True, Reason.PROGRESSING, message)
        return
    if not automatic:
        message = "the spec asks for no workers"
    elif all(_is_known(view) for view in automatic):
        message = "no workers are needed; the next entry starts them"
    else:
        message = "no workers run; while the backlog is unknown none are started"
    yield Condition(ConditionType.READY, True, Reason.SCALED_TO_ZERO, message)


def _scaling_active(observation: Observation, groups: Sequence[GroupPlan]) -> Condition:
    message = "; ".join(
        f"{group.name}: " + (group.decision.reason if group.decision else _external(group.view))
        for group in groups
    )
    active, reason = _scaling_state(observation, groups)
    return Condition(ConditionType.SCALING_ACTIVE, active, reason, message)


def _scaling_state(observation: Observation, groups: Sequence[GroupPlan]) -> tuple[bool, Reason]:
    if observation.pipeline.spec.suspend:
        return False, Reason.SUSPENDED
    automatic = [
        (group.view.group.scaling, group.decision)
        for group in groups
        if group.decision is not None and group.view.is_automatic
    ]
    if not automatic:
        external = any(group.view.is_external for group in groups)
        return False, Reason.EXTERNAL if external else Reason.FIXED
    for group in groups:
        if (obstacle := _number_obstacle(observation, group)) is not None:
            return False, obstacle
    causes = {decision.cause for _, decision in automatic}
    for cause, reason in _INACTIVE.items():
        if cause in causes:
            return False, reason
    if any(
        decision.replicas >= scaling.max_replicas and decision.cause is not Cause.AT_MINIMUM
        for scaling, decision in automatic
    ):
        return True, Reason.AT_MAXIMUM
    return True, Reason.FOLLOWING_BACKLOG


def _number_obstacle(observation: Observation, group: GroupPlan) -> Reason | None:
    """Why the number of workers that was decided cannot be written."""
    if group.decision is None or group.wanted_replicas == group.view.replicas:
        return None
    ref = ChildRef("Deployment", group.view.deployment)
    live = observation.children.get(ref)
    if live is not None and not ownership.is_ours(live, observation.pipeline):
        return Reason.NAME_CONFLICT
    # A Deployment that exists is scaled even when its new template is refused.
    refused = ref in observation.rejections and live is None
    return Reason.INVALID_CHILD if refused else None


def _external(view: GroupView) -> str:
    if view.replicas == 0:
        return (
            f"External at 0, where an HPA does nothing: kubectl scale deployment {view.deployment}"
            " --replicas=1"
        )
    return f"External: replicas of Deployment {view.deployment} are somebody else's"


def _backlog_known(observation: Observation, views: Sequence[GroupView]) -> Condition:
    kind = ConditionType.BACKLOG_KNOWN
    if observation.redis_error is not None:
        refused = observation.redis_refused
        reason = Reason.REDIS_REFUSED if refused else Reason.REDIS_UNREACHABLE
        return Condition(kind, False, reason, observation.redis_error)
    ahead = [v.group.name for v in views if v.backlog is not None and v.backlog.ahead_of_stream]
    if ahead:
        message = (
            f"{', '.join(ahead)}: the group's position lies above the newest entry, so the stream"
            " was replaced or rewound. The group is set back to its checkpoint, unless its start"
            " names that id: then new entries are passed over until their ids reach it"
        )
        return Condition(kind, False, Reason.GROUP_AHEAD_OF_STREAM, message)
    unknown = [f"{v.group.name}: {_why_unknown(v)}" for v in views if not _is_known(v)]
    if unknown:
        return Condition(kind, False, Reason.BACKLOG_UNKNOWN, "; ".join(unknown))
    upper = [
        f"{v.group.name}: at most, by {v.backlog.source}"
        for v in views
        if v.backlog is not None and v.backlog.quality is Quality.UPPER
    ]
    if upper:
        return Condition(kind, True, Reason.UPPER_BOUND, "; ".join(upper))
    return Condition(kind, True, Reason.EXACT, "every group's backlog is known exactly")


def _is_known(view: GroupView) -> bool:
    return view.backlog is not None and view.backlog.exists and view.backlog.ready is not None


def _why_unknown(view: GroupView) -> str:
    if view.backlog is None:
        return "not read yet"
    if not view.backlog.exists:
        return "the consumer group does not exist yet"
    return view.backlog.source


def _job_conditions(observation: Observation) -> Iterator[Condition]:
    """Present while the newest Job of its kind failed. Ready does not depend on them."""
    if observation.pipeline.spec.suspend:
        return
    jobs = [live for ref, live in observation.children.items() if ref.kind == "Job"]
    for kind, condition_type in _JOBS.items():
        found = job_health.trouble(jobs, kind, observation.now)
        if found is not None:
            yield Condition(condition_type, True, *found)


def _needing_the_first(stream: StreamBacklog, orphans: Orphans) -> set[str]:
    """Groups that still need the stream's oldest entry."""
    first = stream.first_id
    needing = {
        name
        for name, group in stream.groups.items()
        if first and group.floor_id is not None and parse_id(group.floor_id) <= parse_id(first)
    }
    # Of an orphan that was not read nothing is known but that it was kept.
    return needing | {group for _, group in orphans.listed if group not in stream.groups}


def _is_over_its_bound(stream: StreamBacklog, trim: Trim) -> bool:
    """By a tenth: a trim comes every few minutes only."""
    if trim.max_length is not None and stream.length > trim.max_length * 1.1:
        return True
    if trim.max_age is None or not stream.first_id:
        return False
    age = (stream.server_ms - parse_id(stream.first_id)[0]) / 1000
    return age > trim.max_age.total_seconds() * 1.1


def _trim_held_back(observation: Observation, orphans: Orphans) -> Condition | None:
    """The stream is over its bound by a tenth, and the oldest entry is still some group's."""
    trim = observation.pipeline.spec.stream.trim
    stream = observation.backlog
    if trim is None or stream is None or not _is_over_its_bound(stream, trim):
        return None
    holding = set() if trim.policy is TrimPolicy.FORCE else _needing_the_first(stream, orphans)
    # The trim itself sees more: groups of other pipelines, and where entries are too large to read.
    reported = (last_trim(observation) or {}).get("heldBackBy")
    if reported is not None and (reported not in stream.groups or not stream.first_id):
        holding.add(reported)
    holding -= set(trim.ignore_groups)
    if not holding:
        return None
    message = (
        f"the stream is over its bound: trimming waits for {', '.join(sorted(holding))}."
        " Let these groups catch up, name them in stream.trim.ignoreGroups, or drop those that"
        " nobody reads with XGROUP DESTROY"
    )
    return Condition(ConditionType.TRIM_HELD_BACK, True, Reason.HELD_BACK_BY_GROUP, message)
