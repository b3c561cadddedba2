"""Everything that keeps a pipeline from being Ready, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.streams import refusals
from headrace_api.v1alpha1 import Reason
from headrace_operator.identity import TAKE_OVER_ANNOTATION
from headrace_operator.plan import pod_health, references
from headrace_operator.plan.deployment import PROGRESS_DEADLINE_SECONDS
from headrace_operator.plan.group import GroupPlan, GroupView
from headrace_operator.plan.observation import ChildRef, ClaimState, Manifest, Observation
from headrace_operator.plan.rendered import RenderedPipeline

# The API server's words where RBAC, a quota or an admission policy refuses a well-formed object.
_POLICY_WORDS = ("forbidden", "exceeded quota", "denied the request", "denied request")
_UNREACHABLE_HINT = "check redis.endpoints, the server and the network; workers go on by themselves"


@dataclass(frozen=True, slots=True)
class Problem:
    """`stalled`: waiting does not help, somebody has to change something."""

    reason: Reason
    message: str
    stalled: bool = False


def name_conflict(ref: ChildRef) -> Problem:
    message = (
        f"{ref.kind} {ref.name} exists and is not this pipeline's: it is left alone."
        " Delete or rename it, or rename the pipeline or group"
    )
    return Problem(Reason.NAME_CONFLICT, message, stalled=True)


def find(
    observation: Observation, rendered: RenderedPipeline, groups: Sequence[GroupPlan]
) -> Iterator[Problem]:
    """All problems but name conflicts, the gravest kinds first."""
    for ref, refusal in sorted(observation.rejections.items()):
        yield _rejection(ref, refusal)
    for failure in observation.failures:
        reason = Reason.FORBIDDEN if failure.forbidden else Reason.API_SERVER_FAILED
        yield Problem(reason, failure.message)
    for group in groups:
        if observation.redis_error is None:  # else that says it, for all groups at once
            yield from _claim(group.view)
    for reason, message in references.problems(rendered.references, observation.references):
        yield Problem(reason, message)
    if observation.no_place is not None:
        yield Problem(*observation.no_place, stalled=True)
    yield from _redis(observation)
    for conflict in observation.conflicts:
        yield Problem(
            Reason.CONFLICT,
            f"{conflict.manager} keeps changing {conflict.field} of {conflict.child.kind}"
            f" {conflict.child.name}: make it leave that field alone",
        )
    if not observation.pipeline.spec.suspend:
        for group in groups:
            yield from _workers(group, observation.now)


def _rejection(ref: ChildRef, refusal: str) -> Problem:
    what = f"the API server refuses {ref.kind} {ref.name}: {refusal.rstrip('.')}"
    if any(word in refusal for word in _POLICY_WORDS):
        advice = "Ask whoever runs the cluster for it, or write what its policy and quota allow"
        return Problem(Reason.FORBIDDEN, f"{what}. {advice}", stalled=True)
    return Problem(Reason.INVALID_CHILD, f"{what}. Correct the spec", stalled=True)


def _claim(view: GroupView) -> Iterator[Problem]:
    claim = view.claim
    if claim is None or claim.state is ClaimState.OURS:
        return
    at = f"consumer group {view.group.consumer_group_name}"
    if claim.state is ClaimState.ANOTHER:
        owner = f"pipeline {claim.owner}" if claim.owner else "another pipeline"
        message = (
            f"{at} is claimed by {owner}: give this group another consumerGroup,"
            " or delete the other pipeline; if that one is gone, free the group with headrace"
            f" release, or annotate this pipeline {TAKE_OVER_ANNOTATION}={claim.message}"
        )
        yield Problem(Reason.GROUP_CONFLICT, message, stalled=True)
    else:
        what = f"{at} cannot be set up"
        if claim.unreachable:
            message = f"{what}: {claim.message}; {_UNREACHABLE_HINT}"
            yield Problem(Reason.REDIS_UNREACHABLE, message)
        else:
            yield redis_refusal(what, claim.message)


def _redis(observation: Observation) -> Iterator[Problem]:
    at = ", ".join(observation.pipeline.endpoints)
    if observation.redis_error is not None:
        if observation.redis_refused:
            yield redis_refusal(f"Redis at {at} refuses", observation.redis_error)
        else:
            yield redis_unreachable(at, observation.redis_error)
    elif observation.backlog is not None and observation.backlog.error is not None:
        stream = observation.pipeline.spec.stream.name
        yield redis_refusal(f"stream {stream} at {at} cannot be read", observation.backlog.error)


def redis_unreachable(at: str, error: str) -> Problem:
    """`error`: in words for people."""
    message = f"Redis at {at} cannot be reached: {error}; {_UNREACHABLE_HINT}"
    return Problem(Reason.REDIS_UNREACHABLE, message)


def redis_refusal(what: str, error: str) -> Problem:
    """`error`: the server's own words."""
    if "WRONGTYPE" in error:
        reason = Reason.WRONG_TYPE
    elif "unknown command" in error.lower() or "is too old" in error:
        reason = Reason.REDIS_TOO_OLD
    else:
        reason = Reason.REDIS_REFUSED
    hint = refusals.hint(error) or "see what its log says about it"
    return Problem(reason, f"{what}: {error.rstrip('.')}; {hint}")


def _workers(group: GroupPlan, now: float) -> Iterator[Problem]:
    """Why workers do not come up; only the first reason found, and what the Deployment says."""
    view, name = group.view, group.name
    for pod in view.pods:
        if (blocked := pod_health.blocked(pod)) is not None:
            reason, words = blocked
            yield Problem(reason, f"workers of {name}: {words}")
            return
    crashing = [pod for pod in view.pods if pod_health.crash_loops(pod, now)]
    if crashing:
        end = pod_health.last_end(crashing[0]) or "no exit code"
        message = (
            f"{len(crashing)} of {len(view.pods)} workers of {name} keep crashing, {end}:"
            f" see kubectl logs --previous {pod_health.name(crashing[0])}"
        )
        yield Problem(Reason.WORKERS_CRASHING, message)
        return
    if (failure := _replica_failure(view.live)) is not None:
        message = f"workers of {name} cannot be created: {failure}"
        yield Problem(Reason.WORKERS_NOT_READY, message)
        return
    stuck = _stuck_pod(group, now)
    if stuck is not None:
        message = (
            f"no worker of {name} has become ready in {PROGRESS_DEADLINE_SECONDS} s:"
            f" pod {pod_health.name(stuck)} {pod_health.why_unready(stuck)}"
        )
        yield Problem(Reason.WORKERS_NOT_READY, message)
    elif _progress_deadline_exceeded(view.live):
        message = (
            f"workers of {name} do not become ready: see kubectl describe deployment"
            f" {view.deployment} and its pods"
        )
        yield Problem(Reason.WORKERS_NOT_READY, message)


def _stuck_pod(group: GroupPlan, now: float) -> Manifest | None:
    """The pod that has tried longest, when none is ready although workers are wanted.

    Kubernetes does not say it: to a Deployment that is rolled out, being scaled from 0 to 5 is no
    progress that could miss a deadline.
    """
    if group.wanted_replicas == 0 or group.view.ready_pods or not group.view.pods:
        return None
    longest = max(group.view.pods, key=lambda pod: pod_health.unready_seconds(pod, now))
    waited = pod_health.unready_seconds(longest, now)
    return longest if waited > PROGRESS_DEADLINE_SECONDS else None


def _replica_failure(live: Manifest | None) -> str | None:
    """Why the ReplicaSet cannot create pods: a quota, an admission policy."""
    for condition in _deployment_conditions(live):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message") or condition.get("reason", ""))
    return None


def _progress_deadline_exceeded(live: Manifest | None) -> bool:
    return any(c.get("reason") == "ProgressDeadlineExceeded" for c in _deployment_conditions(live))


def _deployment_conditions(live: Manifest | None) -> Sequence[Manifest]:
    return (live or {}).get("status", {}).get("conditions") or ()
