"""Everything that keeps a pipeline from being Ready, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace_api.v1alpha1 import Reason, RedisMode, StreamPipeline
from headrace_operator.plan import pod_health, references
from headrace_operator.plan.group import GroupView
from headrace_operator.plan.observation import ChildRef, ClaimState, Observation
from headrace_operator.plan.rendered import RenderedPipeline

_UNREACHABLE_HINT = "check redis.endpoints, the server and the network; workers go on by themselves"


@dataclass(frozen=True, slots=True)
class Problem:
    """`stalled`: waiting does not help, somebody has to change something."""

    reason: Reason
    message: str
    stalled: bool = False


def unsupported(pipeline: StreamPipeline) -> Problem | None:
    """Accepted by the API and not built yet, so that nothing may be run."""
    mode = pipeline.spec.redis.mode
    if mode is RedisMode.STANDALONE:
        return None
    message = f"redis.mode {mode.value} is not built yet: use mode Standalone"
    return Problem(Reason.NOT_IMPLEMENTED, message, stalled=True)


def name_conflict(ref: ChildRef) -> Problem:
    message = (
        f"{ref.kind} {ref.name} exists and is not this pipeline's: it is left alone."
        " Delete or rename it, or rename the pipeline or group"
    )
    return Problem(Reason.NAME_CONFLICT, message, stalled=True)


def find(
    observation: Observation, rendered: RenderedPipeline, groups: Sequence[GroupView]
) -> Iterator[Problem]:
    """All problems but name conflicts, the gravest kinds first."""
    for ref, refusal in sorted(observation.rejections.items()):
        message = f"the API server refuses {ref.kind} {ref.name}: {refusal}. Correct the spec"
        yield Problem(Reason.INVALID_CHILD, message, stalled=True)
    for view in groups:
        if observation.redis_error is None:  # else that says it, for all groups at once
            yield from _claim(view)
    for reason, message in references.problems(rendered.references, observation.references):
        yield Problem(reason, message)
    yield from _redis(observation)
    for conflict in observation.conflicts:
        yield Problem(
            Reason.CONFLICT,
            f"{conflict.manager} keeps changing {conflict.field} of {conflict.child.kind}"
            f" {conflict.child.name}: make it leave that field alone",
        )
    if not observation.pipeline.spec.suspend:
        for view in groups:
            yield from _workers(view, observation.now)


def _claim(view: GroupView) -> Iterator[Problem]:
    claim = view.claim
    if claim is None or claim.state is ClaimState.OURS:
        return
    at = f"consumer group {view.group.consumer_group_name}"
    if claim.state is ClaimState.ANOTHER:
        owner = f"pipeline {claim.owner}" if claim.owner else "another pipeline"
        message = (
            f"{at} is claimed by {owner}: give this group another consumerGroup,"
            " or delete the other pipeline"
        )
        yield Problem(Reason.GROUP_CONFLICT, message, stalled=True)
    else:
        reason = Reason.REDIS_UNREACHABLE if claim.unreachable else Reason.REDIS_REFUSED
        hint = f"; {_UNREACHABLE_HINT}" if claim.unreachable else ""
        yield Problem(reason, f"{at} cannot be set up: {claim.message}{hint}")


def _redis(observation: Observation) -> Iterator[Problem]:
    at = ", ".join(observation.pipeline.endpoints)
    if observation.redis_error is not None:
        refused = observation.redis_refused
        reason = Reason.REDIS_REFUSED if refused else Reason.REDIS_UNREACHABLE
        what = "refuses" if refused else "cannot be reached"
        hint = "check the credentials and the ACL" if refused else _UNREACHABLE_HINT
        yield Problem(reason, f"Redis at {at} {what}: {observation.redis_error}; {hint}")
    elif observation.backlog is not None and observation.backlog.error is not None:
        error = observation.backlog.error
        reason = Reason.WRONG_TYPE if "WRONGTYPE" in error else Reason.REDIS_REFUSED
        stream = observation.pipeline.spec.stream.name
        yield Problem(reason, f"stream {stream} at {at} cannot be read: {error}")


def _workers(view: GroupView, now: float) -> Iterator[Problem]:
    name = view.group.name
    for pod in view.pods:
        if (blocked := pod_health.blocked(pod)) is not None:
            reason, words = blocked
            yield Problem(reason, f"workers of {name}: {words}")
            return
    crashing = [pod for pod in view.pods if pod_health.crash_loops(pod, now)]
    if crashing:
        end = pod_health.last_words(crashing[0]) or "no exit code"
        message = (
            f"{len(crashing)} of {len(view.pods)} workers of {name} keep crashing, {end}:"
            f" see kubectl logs --previous {pod_health.name(crashing[0])}"
        )
        yield Problem(Reason.WORKERS_CRASHING, message)
        return
    for condition in (view.live or {}).get("status", {}).get("conditions") or ():
        if condition.get("reason") == "ProgressDeadlineExceeded":
            message = (
                f"workers of {name} do not become ready: see kubectl describe deployment"
                f" {view.deployment} and its pods"
            )
            yield Problem(Reason.WORKERS_NOT_READY, message)
        elif condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            message = f"workers of {name} cannot be created: {condition.get('message', '')}"
            yield Problem(Reason.WORKERS_NOT_READY, message)
