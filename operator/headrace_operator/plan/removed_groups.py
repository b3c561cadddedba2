"""Groups that left the spec: their workers end first, the group follows, its Deployment last.

The Deployment is the durable mark that the work is unfinished; it names group and stream.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from headrace_api import FIELD_MANAGER
from headrace_api.names import GROUP_LABEL
from headrace_api.v1alpha1 import DeletionPolicy
from headrace_operator.plan import job_health, ownership, pod_health
from headrace_operator.plan.actions import (
    Delete,
    DestroyGroup,
    GroupOperation,
    ReleaseGroup,
    Scale,
)
from headrace_operator.plan.deployment import CONSUMER_GROUP_ANNOTATION
from headrace_operator.plan.observation import ChildRef, Manifest, Observation
from headrace_operator.plan.replicas import live_replicas


@dataclass(frozen=True, slots=True)
class GroupRemoval:
    """The next step for one group that left; all empty while its pods are still ending."""

    group: str
    consumer_group: str
    orphaned: bool  # group and keys stay in Redis (Retain)
    scale: Scale | None = None
    operation: GroupOperation | None = None
    delete: Delete | None = None


def group_removals(observation: Observation, wanted: Container[ChildRef]) -> Iterator[GroupRemoval]:
    """One removal for each Deployment of ours that the spec no longer wants.

    Only its name counts: labels can be edited by anybody, and are put right by the next apply.
    """
    for ref, live in sorted(observation.children.items()):
        if ref.kind != "Deployment" or ref in wanted:
            continue
        ours = ownership.is_ours(live, observation.pipeline)
        # The selector cannot change, so it still names the group that the Deployment was made for.
        group = (live["spec"]["selector"].get("matchLabels") or {}).get(GROUP_LABEL)
        if ours and group and not ownership.is_terminating(live):
            yield _next_step(observation, live, group)


def _next_step(observation: Observation, live: Manifest, group: str) -> GroupRemoval:
    meta = live["metadata"]
    spec = observation.pipeline.spec
    consumer_group = (meta.get("annotations") or {}).get(CONSUMER_GROUP_ANNOTATION, group)
    # Another group of the spec still uses it, so it is not orphaned.
    taken_over = any(g.consumer_group_name == consumer_group for g in spec.groups)
    retained = spec.deletion_policy is DeletionPolicy.RETAIN
    removal = GroupRemoval(group, consumer_group, orphaned=retained and not taken_over)
    if live_replicas(live) > 0:
        return replace(removal, scale=ownership.scale_of(live, 0, FIELD_MANAGER))
    if _still_running(observation, group):
        return removal
    operation: GroupOperation | None = None
    if not taken_over:
        kind = ReleaseGroup if retained else DestroyGroup
        operation = kind(group, consumer_group)
    after = group if operation is not None else None
    return replace(
        removal, operation=operation, delete=ownership.delete_of(live, "Deployment", after)
    )


def _still_running(observation: Observation, group: str) -> bool:
    """A pod of the group or a Job of its CronJob may still write to Redis.

    Finished ones cannot: Kubernetes leaves evicted pods lying about for months.
    """
    jobs = (live for ref, live in observation.children.items() if ref.kind == "Job")
    running = [
        *(pod for pod in observation.pods if not pod_health.is_finished(pod)),
        *(job for job in jobs if not job_health.is_finished(job)),
    ]
    return any((one["metadata"].get("labels") or {}).get(GROUP_LABEL) == group for one in running)
