"""Groups that left the spec: their workers end first, the group follows, its Deployment last.

The Deployment is the durable mark that the work is unfinished; it names group and stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from headrace_api import FIELD_MANAGER
from headrace_api.names import GROUP_LABEL
from headrace_api.v1alpha1 import DeletionPolicy
from headrace_operator.plan import ownership
from headrace_operator.plan.actions import (
    Delete,
    DestroyGroup,
    GroupOperation,
    ReleaseGroup,
    Scale,
)
from headrace_operator.plan.deployment import CONSUMER_GROUP_ANNOTATION
from headrace_operator.plan.observation import Manifest, Observation
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


def group_removals(observation: Observation) -> Iterator[GroupRemoval]:
    """One removal for each Deployment of ours whose group the spec no longer has."""
    pipeline = observation.pipeline
    present = {group.name for group in pipeline.spec.groups}
    for ref, live in sorted(observation.children.items()):
        if ref.kind != "Deployment" or not ownership.is_ours(live, pipeline):
            continue
        group = (live["metadata"].get("labels") or {}).get(GROUP_LABEL)
        if group and group not in present and not ownership.is_terminating(live):
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
        scale = Scale(meta["name"], 0, FIELD_MANAGER, meta["uid"], meta["resourceVersion"])
        return replace(removal, scale=scale)
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
    """A pod of the group or a Job of its CronJob may still write to Redis."""
    jobs = (live for ref, live in observation.children.items() if ref.kind == "Job")
    return any(
        (live["metadata"].get("labels") or {}).get(GROUP_LABEL) == group
        for live in (*observation.pods, *jobs)
    )
