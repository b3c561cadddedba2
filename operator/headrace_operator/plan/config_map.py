"""A group's configuration: immutable, named by its content, kept while anything names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace_api import mounts, names
from headrace_api.v1alpha1 import Group, StreamPipeline
from headrace_api.worker_config import WorkerConfig
from headrace_operator.plan import job_health, ownership
from headrace_operator.plan.actions import PlanSettings
from headrace_operator.plan.observation import ChildRef, Manifest


def config_map(
    pipeline: StreamPipeline, group: Group, settings: PlanSettings, name: str, config: WorkerConfig
) -> dict[str, Any]:
    """Holds only what the worker reads, so that nothing else of the spec rolls its pods."""
    labels = names.common_labels(pipeline.name, group.name)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": ownership.metadata(pipeline, settings, name, labels),
        "immutable": True,
        "data": {mounts.CONFIG_KEY: config.canonical_json()},
    }


def unused(
    children: Mapping[ChildRef, Manifest], pipeline: StreamPipeline, wanted: set[str]
) -> Iterator[Manifest]:
    """Our ConfigMaps that no ReplicaSet of the history, CronJob or unfinished Job mounts."""
    in_use = wanted | set(_mounted(children))
    for ref, live in children.items():
        ours = ref.kind == "ConfigMap" and ownership.is_ours(live, pipeline)
        if ours and ref.name not in in_use and not ownership.is_terminating(live):
            yield live


def _mounted(children: Mapping[ChildRef, Manifest]) -> Iterator[str]:
    for ref, live in children.items():
        if ref.kind in ("Deployment", "ReplicaSet"):
            yield from _volumes(live["spec"]["template"])
        elif ref.kind == "CronJob":
            yield from _volumes(live["spec"]["jobTemplate"]["spec"]["template"])
        elif ref.kind == "Job" and not job_health.is_finished(live):
            yield from _volumes(live["spec"]["template"])


def _volumes(template: Manifest) -> Iterator[str]:
    for volume in template.get("spec", {}).get("volumes") or ():
        if "configMap" in volume:
            yield volume["configMap"]["name"]
