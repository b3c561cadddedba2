"""One group as the plan sees it: what runs, what waits, and how many workers there should be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from headrace.streams.backlog import GroupBacklog, Quality
from headrace_api import names
from headrace_api.v1alpha1 import Group, Runtime, ScalingMode
from headrace_operator.plan import ownership, pod_health
from headrace_operator.plan.observation import (
    ChildRef,
    ClaimState,
    GroupClaim,
    Manifest,
    Observation,
)
from headrace_operator.plan.replicas import before_suspend, live_replicas
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.decide import GroupState, ScalingDecision, ScalingHistory, decide


@dataclass(frozen=True, slots=True)
class GroupView:
    """`live` is the group's own Deployment, None when absent or somebody else's.

    `pods` are those that run or start; terminating ones are left out. `backlog` is None while
    nothing trustworthy is known.
    """

    group: Group
    deployment: str
    live: Manifest | None
    backlog: GroupBacklog | None
    claim: GroupClaim | None
    pods: tuple[Manifest, ...]

    @property
    def ready_pods(self) -> tuple[Manifest, ...]:
        return tuple(pod for pod in self.pods if pod_health.is_ready(pod))

    @property
    def claimed(self) -> bool:
        return self.claim is not None and self.claim.state is ClaimState.OURS

    @property
    def replicas(self) -> int:
        return live_replicas(self.live)

    @property
    def is_external(self) -> bool:
        return self.group.scaling.mode is ScalingMode.EXTERNAL

    @property
    def reclaims_itself(self) -> bool:
        """A ready Headrace worker takes over what others left."""
        return self.group.worker.runtime is Runtime.HEADRACE and bool(self.ready_pods)


def view(observation: Observation, group: Group) -> GroupView:
    pipeline = observation.pipeline
    meta = pipeline.metadata
    name = names.deployment_name(meta.namespace, meta.name, group.name)
    live = observation.children.get(ChildRef("Deployment", name))
    if live is not None and not ownership.is_ours(live, pipeline):
        live = None
    selector = names.selector_labels(meta.name, group.name).items()
    running = tuple(
        pod
        for pod in observation.pods
        if selector <= (pod["metadata"].get("labels") or {}).items()
        and not pod_health.is_gone_or_going(pod)
    )
    backlog = None
    if observation.backlog is not None and observation.redis_error is None:
        backlog = observation.backlog.groups.get(group.consumer_group_name)
    claim = observation.claims.get(group.name)
    return GroupView(group, name, live, backlog, claim, running)


def decision_for(observation: Observation, seen: GroupView) -> ScalingDecision | None:
    """How many workers in Automatic and Fixed; None: nobody but the live number decides."""
    if seen.is_external:
        return None
    history = observation.history.get(seen.group.name, ScalingHistory())
    if observation.pipeline.spec.suspend:
        return ScalingDecision(0, Cause.SUSPENDED, "suspended")
    if seen.claim is not None and seen.claim.state is ClaimState.ANOTHER:
        words = "the consumer group is claimed by another pipeline"
        return ScalingDecision(0, Cause.GROUP_CONFLICT, words)
    decided = decide(seen.group.scaling, _look(observation, seen), history)
    if not seen.claimed and decided.replicas > seen.replicas:
        # Workers start only after the claim is in Redis; those that run already go on.
        reason = "no further workers before the consumer group is claimed in Redis"
        return replace(decided, replicas=seen.replicas, cause=Cause.NOT_CLAIMED, reason=reason)
    return decided


def _look(observation: Observation, seen: GroupView) -> GroupState:
    remembered = before_suspend(seen.live)
    backlog = seen.backlog
    stream = observation.backlog
    known = backlog is not None and backlog.exists
    due = backlog.next_due_ms if backlog is not None else None
    return GroupState(
        clock=observation.clock,
        ready=backlog.ready if backlog is not None and known else None,
        # Resuming: the number from before the suspension counts as what is there.
        current=seen.replicas if remembered is None else remembered,
        lag=backlog.lag if backlog is not None else None,
        exact=backlog is not None and backlog.quality is Quality.EXACT,
        added=stream.entries_added if stream is not None and known else None,
        next_due=due / 1000 if due is not None else None,
        workers=len(seen.ready_pods),
        crash_looping=sum(pod_health.crash_loops(pod, observation.now) for pod in seen.pods),
        startup=pod_health.startup_seconds(seen.pods),
        read_at=stream.server_ms / 1000 if stream is not None and stream.server_ms else None,
    )
