"""The children of one pipeline: every manifest it wants, each checked for whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace_api import FIELD_MANAGER
from headrace_operator.plan import config_map, ownership, pod_health, references
from headrace_operator.plan.actions import Apply, Delete, Rendered, Scale, ScaleIn
from headrace_operator.plan.deployment import is_rolled_out
from headrace_operator.plan.group import GroupPlan, GroupView
from headrace_operator.plan.observation import ChildRef, Manifest, Observation
from headrace_operator.plan.rendered import RenderedPipeline
from headrace_operator.plan.replicas import (
    BEFORE_SUSPEND,
    HAND_OVER_MANAGER,
    before_suspend,
    plan_replicas,
)


@dataclass(slots=True)
class Children:
    """What becomes of the children, gathered step by step.

    `waiting_for`: what is under way, for people.
    """

    observation: Observation
    applies: list[Apply] = field(default_factory=list)
    scales: list[Scale] = field(default_factory=list)
    scale_ins: list[ScaleIn] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)
    conflicts: list[ChildRef] = field(default_factory=list)
    waiting_for: list[str] = field(default_factory=list)

    def apply(self, rendered: Rendered) -> bool:
        """Adds an apply; False when the object must be left alone now."""
        ref = rendered.ref
        live = self.observation.children.get(ref)
        if live is not None and ownership.is_of_namesake(live, self.observation.pipeline):
            self.waiting_for.append(
                f"{ref.kind} {ref.name} of an earlier pipeline of this name is being deleted"
            )
            return False
        if live is not None and not ownership.is_ours(live, self.observation.pipeline):
            self.conflicts.append(ref)
            return False
        if live is not None and ownership.is_terminating(live):
            self.waiting_for.append(f"{ref.kind} {ref.name} is being deleted")
            return False
        self.applies.append(ownership.apply_to(live, rendered))
        return True


def plan_children(
    observation: Observation, rendered: RenderedPipeline, groups: Sequence[GroupPlan]
) -> Children:
    """Every wanted child that is absent or ours, and what nothing wants any more."""
    children = Children(observation)
    has_account = children.apply(rendered.service_account)
    for group in groups:
        _group(children, group, is_blocked=group.rendered.uses_our_account and not has_account)
    if rendered.trim is not None and (has_account or not rendered.trim_uses_our_account):
        children.apply(rendered.trim)
    _prune(children, rendered)
    return children


def _group(children: Children, group: GroupPlan, *, is_blocked: bool) -> None:
    """`is_blocked`: new pods could not start, so templates stay as they are."""
    if is_blocked or not children.apply(group.rendered.config_map):
        _only_scale(children, group)
        return
    observation = children.observation
    named = group.rendered.references
    digest = references.content_hash(named, observation.references) if named else None
    if named and digest is None:
        digest = _live_digest(group.live)
    _deployment(children, group, group.rendered.deployment(digest))
    if group.rendered.reclaim_name is not None:
        live = observation.children.get(ChildRef("CronJob", group.rendered.reclaim_name))
        needed = group.view.needs_reclaim(live)
        suspend = observation.pipeline.spec.suspend or not group.view.claimed or not needed
        children.apply(group.rendered.reclaim.with_spec(suspend=suspend))


def _deployment(children: Children, group: GroupPlan, rendered: Rendered) -> None:
    """Adds replicas as their owner allows, and what has to come before."""
    view, live = group.view, group.live
    if live is None and view.is_external and not view.claimed:
        # Created without replicas it would start a worker at once, before the claim.
        children.waiting_for.append(f"consumer group of {group.name} is being set up")
        return
    wanted = None if group.decision is None else group.decision.replicas
    # A resumed one stays at 0, with its former number, until its group is claimed (again).
    resuming = before_suspend(live) is not None
    suspended = children.observation.pipeline.spec.suspend or (resuming and not view.claimed)
    replicas = plan_replicas(view.group.scaling.mode, suspended, live, wanted)
    if replicas.hand_over is not None and live is not None:
        children.scales.append(ownership.scale_of(live, replicas.hand_over, HAND_OVER_MANAGER))
        return
    refused = ChildRef("Deployment", view.deployment) in children.observation.rejections
    if refused and _only_scale(children, group):
        return  # a try of the whole manifest comes with the next pass
    if replicas.in_manifest is not None:
        rendered = rendered.with_spec(replicas=replicas.in_manifest)
    if replicas.remembered is not None:
        rendered = rendered.with_annotation(BEFORE_SUSPEND, replicas.remembered)
    if children.apply(rendered):
        _scale_in(children, group, replicas.in_manifest)
        _progress(children, group, rendered.manifest, suspended=suspended)


def _only_scale(children: Children, group: GroupPlan) -> bool:
    """Workers that run follow the backlog although their template cannot be written.

    True when their number changes, so that the Deployment is left alone otherwise.
    """
    live = group.live
    wanted = 0 if children.observation.pipeline.spec.suspend else group.wanted_replicas
    if live is None or ownership.is_terminating(live) or wanted == group.view.replicas:
        return False
    children.scales.append(ownership.scale_of(live, wanted, FIELD_MANAGER))
    _scale_in(children, group, wanted)
    return True


def _scale_in(children: Children, group: GroupPlan, replicas: int | None) -> None:
    """Some workers go and some stay: those that hold nothing shall go."""
    view = group.view
    if replicas and view.replicas > replicas and len(view.pods) > replicas:
        # Kubernetes takes those that are not ready before it looks at any cost.
        first = sorted(view.pods, key=lambda pod: (pod_health.is_ready(pod), pod_health.name(pod)))
        children.scale_ins.append(
            ScaleIn(
                group=group.name,
                consumer_group=view.group.consumer_group_name,
                deployment=view.deployment,
                pods=tuple(pod_health.name(pod) for pod in first),
                surplus=len(view.pods) - replicas,
                marked=frozenset(
                    pod_health.name(pod) for pod in view.pods if pod_health.is_marked(pod)
                ),
            )
        )


def _progress(children: Children, group: GroupPlan, manifest: Manifest, *, suspended: bool) -> None:
    view, name = group.view, group.name
    if not view.claimed:
        children.waiting_for.append(f"consumer group of {name} is being set up")
    elif view.live is None or not (_is_held(children, view) or is_rolled_out(view.live, manifest)):
        children.waiting_for.append(f"workers of {name} are being rolled out")
    elif suspended and view.pods:
        children.waiting_for.append(f"workers of {name} are ending")
    elif not view.ready_pods and not suspended and _always_has_a_worker(group):
        children.waiting_for.append(f"no worker of {name} is ready yet")


def _is_held(children: Children, view: GroupView) -> bool:
    return ChildRef("Deployment", view.deployment) in children.observation.held


def _always_has_a_worker(group: GroupPlan) -> bool:
    """Then one must be ready; waking from 0 is everyday work."""
    scaling = group.view.group.scaling
    wanted = group.wanted_replicas
    is_automatic = not group.view.is_external and scaling.replicas is None
    return min(wanted, scaling.min_replicas if is_automatic else wanted) > 0


def _prune(children: Children, rendered: RenderedPipeline) -> None:
    """ConfigMaps that nothing mounts and CronJobs that nothing wants.

    Deployments go with their group, see removed_groups.py.
    """
    observation = children.observation
    pipeline, wanted = observation.pipeline, set(rendered.wanted.children)
    configurations = {ref.name for ref in wanted if ref.kind == "ConfigMap"}
    for live in config_map.unused(observation.children, pipeline, configurations):
        children.deletes.append(ownership.delete_of(live, "ConfigMap"))
    for ref, live in sorted(observation.children.items()):
        ours = ref.kind == "CronJob" and ownership.is_ours(live, pipeline)
        if ours and ref not in wanted and not ownership.is_terminating(live):
            children.deletes.append(ownership.delete_of(live, "CronJob"))


def _live_digest(live: Manifest | None) -> str | None:
    """While a referenced object is missing, what runs is not rolled."""
    if live is None:
        return None
    annotations = live["spec"]["template"]["metadata"].get("annotations") or {}
    value = annotations.get(references.ANNOTATION)
    return str(value) if value is not None else None
