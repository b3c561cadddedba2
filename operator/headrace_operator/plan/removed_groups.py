"""Groups that left the spec: their workers end first, the group follows, its Deployment last.

The Deployment is the durable mark that the work is unfinished; it names group and stream.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
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
from headrace_operator.plan.observation import ChildRef, ClaimState, Manifest, Observation
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


def claims_left_behind(
    observation: Observation, removals: Iterable[GroupRemoval]
) -> Iterator[GroupRemoval]:
    """One removal for each group that was claimed and left before it had a Deployment: it may have
    been refused, or waited for an earlier one to go. The claims tell of them; a new process asks
    Redis for those of its forerunner."""
    removals = tuple(removals)
    known = {group.name for group in observation.pipeline.spec.groups}
    known |= {removal.group for removal in removals}
    leaving = {removal.consumer_group for removal in removals}
    for name, claim in observation.claims.items():
        if claim.state is not ClaimState.OURS or name in known or not claim.consumer_group:
            continue
        if claim.consumer_group in leaving:
            continue
        removal = _removal(observation, name, claim.consumer_group)
        if not _is_taken_over(observation, claim.consumer_group):
            if not _still_running(observation, name):
                removal = replace(removal, operation=_give_up(observation, removal))
            yield removal


def _next_step(observation: Observation, live: Manifest, group: str) -> GroupRemoval:
    meta = live["metadata"]
    consumer_group = (meta.get("annotations") or {}).get(CONSUMER_GROUP_ANNOTATION, group)
    removal = _removal(observation, group, consumer_group)
    if live_replicas(live) > 0:
        return replace(removal, scale=ownership.scale_of(live, 0, FIELD_MANAGER))
    if _still_running(observation, group):
        return removal
    operation: GroupOperation | None = None
    if not _is_taken_over(observation, consumer_group):
        operation = _give_up(observation, removal)
    after = group if operation is not None else None
    return replace(
        removal, operation=operation, delete=ownership.delete_of(live, "Deployment", after)
    )


def _removal(observation: Observation, group: str, consumer_group: str) -> GroupRemoval:
    orphaned = _is_retained(observation) and not _is_taken_over(observation, consumer_group)
    return GroupRemoval(group, consumer_group, orphaned)


def _is_retained(observation: Observation) -> bool:
    return observation.pipeline.spec.deletion_policy is DeletionPolicy.RETAIN


def _is_taken_over(observation: Observation, consumer_group: str) -> bool:
    """Another group of the spec still uses it."""
    groups = observation.pipeline.spec.groups
    return any(group.consumer_group_name == consumer_group for group in groups)


def _give_up(observation: Observation, removal: GroupRemoval) -> GroupOperation:
    kind = ReleaseGroup if _is_retained(observation) else DestroyGroup
    return kind(removal.group, removal.consumer_group)


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
