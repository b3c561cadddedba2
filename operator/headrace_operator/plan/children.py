"""The children of one pipeline: every manifest it wants, each checked for whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace_api import names
from headrace_api.v1alpha1 import StreamPipeline
from headrace_api.worker_config import WorkerConfig
from headrace_operator.plan import config_map, cron_jobs, ownership, pod_health, references
from headrace_operator.plan.actions import Apply, Delete, Scale, ScaleIn, Settings
from headrace_operator.plan.deployment import deployment, is_rolled_out
from headrace_operator.plan.group import GroupView
from headrace_operator.plan.observation import ChildRef, Manifest, Observation
from headrace_operator.plan.replicas import (
    BEFORE_SUSPEND,
    HAND_OVER_MANAGER,
    before_suspend,
    plan_replicas,
)
from headrace_operator.plan.service_account import service_account
from headrace_operator.scaling.decide import ScalingDecision


@dataclass(slots=True)
class Children:
    """What becomes of the children. `waiting_for`: what is under way, in words."""

    applies: list[Apply] = field(default_factory=list)
    scales: list[Scale] = field(default_factory=list)
    scale_ins: list[ScaleIn] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)
    conflicts: list[ChildRef] = field(default_factory=list)
    waiting_for: list[str] = field(default_factory=list)


def wanted_children(pipeline: StreamPipeline) -> tuple[ChildRef, ...]:
    """The names of all children that a plan may apply."""
    meta = pipeline.metadata
    found = [ChildRef("ServiceAccount", names.service_account_name(meta.name))]
    for group in pipeline.spec.groups:
        content_hash = WorkerConfig.from_pipeline(pipeline, group).content_hash()
        place = (meta.namespace, meta.name, group.name)
        found.append(ChildRef("ConfigMap", names.config_map_name(*place, content_hash)))
        found.append(ChildRef("Deployment", names.deployment_name(*place)))
        if group.wants_reclaim_job:
            found.append(ChildRef("CronJob", names.reclaim_name(*place)))
    if pipeline.spec.stream.trim is not None:
        found.append(ChildRef("CronJob", names.trim_name(meta.namespace, meta.name)))
    return tuple(found)


def plan_children(
    observation: Observation,
    settings: Settings,
    groups: Sequence[tuple[GroupView, ScalingDecision | None]],
) -> Children:
    """Every wanted child that is absent or ours, and what nothing wants any more."""
    result = Children()
    if _apply(observation, result, service_account(observation.pipeline)):
        for seen, decision in groups:
            _group(observation, settings, result, seen, decision)
        manifest = cron_jobs.trim(observation.pipeline, settings)
        if manifest is not None:
            _apply(observation, result, manifest)
    _prune(observation, result)
    return result


def _group(
    observation: Observation,
    settings: Settings,
    result: Children,
    seen: GroupView,
    decision: ScalingDecision | None,
) -> None:
    pipeline, group = observation.pipeline, seen.group
    configuration = config_map.config_map(pipeline, group)
    name = configuration["metadata"]["name"]
    if not _apply(observation, result, configuration):
        return
    named = references.group_references(group)
    digest = references.content_hash(named, observation.references) if named else None
    if named and digest is None:
        digest = _live_digest(seen.live)
    manifest = deployment(pipeline, group, settings, name, digest)
    _deployment(observation, result, seen, decision, manifest)
    if group.wants_reclaim_job:
        meta = pipeline.metadata
        ref = ChildRef("CronJob", names.reclaim_name(meta.namespace, meta.name, group.name))
        needed = cron_jobs.needs_reclaim(seen, observation.children.get(ref))
        suspend = pipeline.spec.suspend or not seen.claimed or not needed
        _apply(
            observation,
            result,
            cron_jobs.reclaim(pipeline, group, settings, name, suspend=suspend),
        )


def _deployment(
    observation: Observation,
    result: Children,
    seen: GroupView,
    decision: ScalingDecision | None,
    manifest: dict[str, Any],
) -> None:
    """Adds replicas as their owner allows, and what has to come before."""
    if seen.live is None and seen.is_external and not seen.claimed:
        # Created without replicas it would start a worker at once, before the claim.
        result.waiting_for.append(f"consumer group of {seen.group.name} is being set up")
        return
    wanted = None if decision is None else decision.replicas
    # A resumed one stays at 0, with its former number, until its group is claimed (again).
    resuming = before_suspend(seen.live) is not None
    suspended = observation.pipeline.spec.suspend or (resuming and not seen.claimed)
    replicas = plan_replicas(seen.group.scaling.mode, suspended, seen.live, wanted)
    if replicas.in_manifest is not None:
        manifest["spec"]["replicas"] = replicas.in_manifest
    if replicas.remembered is not None:
        manifest["metadata"]["annotations"][BEFORE_SUSPEND] = replicas.remembered
    if replicas.hand_over is not None and seen.live is not None:
        live = seen.live["metadata"]
        uid, version = live["uid"], live["resourceVersion"]
        result.scales.append(
            Scale(seen.deployment, replicas.hand_over, HAND_OVER_MANAGER, uid, version)
        )
        return
    if _apply(observation, result, manifest):
        _scale_in(result, seen, replicas.in_manifest)
        _progress(result, seen, decision, manifest, suspended=suspended)


def _scale_in(result: Children, seen: GroupView, replicas: int | None) -> None:
    """Some workers go and some stay: those that hold nothing shall go."""
    if replicas and seen.replicas > replicas and len(seen.pods) > replicas:
        # Kubernetes takes those that are not ready before it looks at any cost.
        first = sorted(seen.pods, key=lambda pod: (pod_health.is_ready(pod), pod_health.name(pod)))
        result.scale_ins.append(
            ScaleIn(
                group=seen.group.name,
                consumer_group=seen.group.consumer_group_name,
                deployment=seen.deployment,
                pods=tuple(pod_health.name(pod) for pod in first),
                surplus=len(seen.pods) - replicas,
                marked=frozenset(
                    pod_health.name(pod) for pod in seen.pods if pod_health.is_marked(pod)
                ),
            )
        )


def _progress(
    result: Children,
    seen: GroupView,
    decision: ScalingDecision | None,
    manifest: Manifest,
    *,
    suspended: bool,
) -> None:
    name = seen.group.name
    if not seen.claimed:
        result.waiting_for.append(f"consumer group of {name} is being set up")
    elif seen.live is None or not is_rolled_out(seen.live, manifest):
        result.waiting_for.append(f"workers of {name} are being rolled out")
    elif suspended and seen.pods:
        result.waiting_for.append(f"workers of {name} are ending")
    elif not seen.ready_pods and not suspended and _needs_a_worker(seen, decision):
        result.waiting_for.append(f"no worker of {name} is ready yet")


def _needs_a_worker(seen: GroupView, decision: ScalingDecision | None) -> bool:
    """Always wanted, so one must be ready; waking from 0 is daily work and no news."""
    wanted = seen.replicas if decision is None else decision.replicas
    scaling = seen.group.scaling
    floor = scaling.min_replicas if not seen.is_external and scaling.replicas is None else wanted
    return min(wanted, floor) > 0


def _apply(observation: Observation, result: Children, manifest: dict[str, Any]) -> bool:
    """Adds an apply; False when the object must be left alone now."""
    ref = ChildRef(manifest["kind"], manifest["metadata"]["name"])
    live = observation.children.get(ref)
    if live is not None and not ownership.is_ours(live, observation.pipeline):
        result.conflicts.append(ref)
        return False
    if live is not None and ownership.is_terminating(live):
        result.waiting_for.append(f"{ref.kind} {ref.name} is being deleted")
        return False
    result.applies.append(ownership.apply_to(live, manifest))
    return True


def _prune(observation: Observation, result: Children) -> None:
    """ConfigMaps that nothing mounts and CronJobs that nothing wants. Deployments: departed.py."""
    pipeline = observation.pipeline
    wanted = set(wanted_children(pipeline))
    configurations = {ref.name for ref in wanted if ref.kind == "ConfigMap"}
    for live in config_map.unused(observation.children, pipeline, configurations):
        result.deletes.append(ownership.delete_of(live, "ConfigMap"))
    for ref, live in sorted(observation.children.items()):
        ours = ref.kind == "CronJob" and ownership.is_ours(live, pipeline)
        if ours and ref not in wanted and not ownership.is_terminating(live):
            result.deletes.append(ownership.delete_of(live, "CronJob"))


def _live_digest(live: Manifest | None) -> str | None:
    """While a referenced object is missing, what runs is not rolled."""
    if live is None:
        return None
    annotations = live["spec"]["template"]["metadata"].get("annotations") or {}
    value = annotations.get(references.ANNOTATION)
    return str(value) if value is not None else None
