"""The children that a manifest gets from the operator, worked out without a cluster. Pure."""

from __future__ import annotations

from typing import Any

from headrace.streams.backlog import GroupBacklog, Quality, StreamBacklog
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.identity import owner_of_pipeline
from headrace_operator.plan.actions import PlanSettings
from headrace_operator.plan.observation import ClaimState, GroupClaim, Observation
from headrace_operator.plan.pipeline import plan


def first_children(pipeline: StreamPipeline, settings: PlanSettings) -> list[dict[str, Any]]:
    """What the operator applies while the groups are claimed and no event waits.

    The digest of the Secrets and ConfigMaps that pods refer to, which only a cluster knows, is
    left out. A pipeline that has no uid yet gets no ownerReferences: with an owner that does not
    exist, the garbage collector would delete what is applied.
    """
    groups = pipeline.spec.groups
    read = GroupBacklog(
        exists=True,
        lag=0,
        quality=Quality.EXACT,
        source="lag of XINFO GROUPS",
        owner=owner_of_pipeline(pipeline),
    )
    observation = Observation(
        pipeline=pipeline,
        children={},
        now=0.0,
        clock=0.0,
        claims={group.name: GroupClaim(ClaimState.OURS) for group in groups},
        backlog=StreamBacklog(
            pipeline.spec.stream.name,
            exists=True,
            length=0,
            groups={group.consumer_group_name: read for group in groups},
        ),
    )
    made = [apply.manifest for apply in plan(observation, settings).applies]
    return made if pipeline.metadata.uid else [_unowned(manifest) for manifest in made]


def _unowned(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in manifest["metadata"].items() if k != "ownerReferences"}
    return {**manifest, "metadata": metadata}
