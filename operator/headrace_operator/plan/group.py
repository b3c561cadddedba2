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
from headrace_operator.plan.rendered import RenderedGroup
from headrace_operator.plan.replicas import before_suspend, live_replicas
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.decide import GroupState, ScalingDecision, ScalingHistory, decide


@dataclass(frozen=True, slots=True)
class GroupView:
    """`live` is the group's own Deployment, None when absent or somebody else's.

    `pods` are those that run or start; terminating ones are left out. `ready_pods` are some of
    them. `backlog` is None while nothing trustworthy is known.
    """

    group: Group
    deployment: str
    live: Manifest | None
    backlog: GroupBacklog | None
    claim: GroupClaim | None
    pods: tuple[Manifest, ...]
    ready_pods: tuple[Manifest, ...]

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
    def is_automatic(self) -> bool:
        return self.group.scaling.mode is ScalingMode.AUTOMATIC

    @property
    def reclaims_itself(self) -> bool:
        """A ready Headrace worker takes over what others left."""
        return self.group.worker.runtime is Runtime.HEADRACE and bool(self.ready_pods)

    def needs_reclaim(self, live: Manifest | None) -> bool:
        """Entries are pending and nobody is there to take them. `live`: the reclaim CronJob."""
        if self.reclaims_itself:
            return False
        if self.backlog is None or not self.backlog.exists:
            # Backlog unknown: keep the current suspend state.
            return live is not None and not live["spec"].get("suspend", False)
        return self.backlog.pending - self.backlog.parked > 0 or self.backlog.due_now > 0


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A group and what is decided for it. `decision`: None in External, where the number of
    workers is somebody else's.
    """

    rendered: RenderedGroup
    view: GroupView
    decision: ScalingDecision | None

    @property
    def name(self) -> str:
        return self.view.group.name

    @property
    def live(self) -> Manifest | None:
        return self.view.live

    @property
    def wanted_replicas(self) -> int:
        return self.view.replicas if self.decision is None else self.decision.replicas


def view_group(observation: Observation, rendered: RenderedGroup) -> GroupView:
    pipeline, group = observation.pipeline, rendered.group
    name = rendered.deployment_name
    live = observation.children.get(ChildRef("Deployment", name))
    if live is not None and not ownership.is_ours(live, pipeline):
        live = None
    selector = names.selector_labels(pipeline.name, group.name).items()
    running = tuple(
        pod
        for pod in observation.pods
        if selector <= (pod["metadata"].get("labels") or {}).items()
        and not pod_health.is_gone_or_going(pod)
    )
    backlog = None
    if observation.backlog is not None and observation.redis_error is None:
        backlog = observation.backlog.groups.get(group.consumer_group_name)
    return GroupView(
        group,
        name,
        live,
        backlog,
        observation.claims.get(group.name),
        running,
        tuple(pod for pod in running if pod_health.is_ready(pod)),
    )


def decide_replicas(observation: Observation, view: GroupView) -> ScalingDecision | None:
    """How many workers in Automatic and Fixed.

    None in External: Headrace leaves spec.replicas alone.
    """
    if view.is_external:
        return None
    history = observation.history.get(view.group.name, ScalingHistory())
    if observation.pipeline.spec.suspend:
        return ScalingDecision(0, Cause.SUSPENDED, "suspended")
    if view.claim is not None and view.claim.state is ClaimState.ANOTHER:
        words = "the consumer group is claimed by another pipeline"
        return ScalingDecision(0, Cause.GROUP_CONFLICT, words)
    state = _state(observation, view)
    decided = decide(view.group.scaling, state, history)
    if not view.claimed and decided.replicas > view.replicas:
        # Workers start only after the claim is in Redis; those that run already go on.
        reason = "no further workers before the consumer group is claimed in Redis"
        return replace(decided, replicas=view.replicas, cause=Cause.NOT_CLAIMED, reason=reason)
    by_reading = view.is_automatic and state.ready is not None
    if by_reading and decided.replicas < view.replicas and not observation.is_answer:
        # Entries may have come since: a worker that ends for nothing is missed a second later.
        return replace(decided, replicas=view.replicas, asks_again=True)
    return decided


def _state(observation: Observation, view: GroupView) -> GroupState:
    remembered = before_suspend(view.live)
    backlog = view.backlog
    stream = observation.backlog
    known = backlog is not None and backlog.exists
    due = backlog.next_due_ms if backlog is not None else None
    return GroupState(
        clock=observation.clock,
        ready=backlog.ready if backlog is not None and known else None,
        # Resuming: the number from before the suspension counts as what is there.
        current=view.replicas if remembered is None else remembered,
        lag=backlog.lag if backlog is not None else None,
        exact=backlog is not None and backlog.quality is Quality.EXACT,
        added=stream.entries_added if stream is not None and known else None,
        next_due=due / 1000 if due is not None else None,
        workers=len(view.ready_pods),
        crash_looping=sum(pod_health.crash_loops(pod, observation.now) for pod in view.pods),
        startup=pod_health.startup_seconds(view.pods),
        read_at=stream.server_ms / 1000 if stream is not None and stream.server_ms else None,
    )
