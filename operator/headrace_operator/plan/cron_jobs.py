"""The CronJobs: reclaim for each group that may need it, trim for a pipeline that asks for it.

A CronJob costs about 20 API writes a run, so reclaim sleeps while workers do it themselves.
"""

from __future__ import annotations

from typing import Any

from headrace_api import mounts, names
from headrace_api.v1alpha1 import (
    DEFAULT_RECLAIM_SCHEDULE,
    DEFAULT_TRIM_SCHEDULE,
    Group,
    Runtime,
    StreamPipeline,
)
from headrace_api.worker_config import TrimConfig
from headrace_operator.plan import ownership, pod_template
from headrace_operator.plan.actions import Settings
from headrace_operator.plan.deployment import image_of
from headrace_operator.plan.group import GroupView
from headrace_operator.plan.observation import Manifest

_DEADLINE = 3600  # seconds; a pass over a large backlog takes minutes, never an hour


def reclaim(
    pipeline: StreamPipeline, group: Group, settings: Settings, config_map: str, *, suspend: bool
) -> dict[str, Any]:
    meta = pipeline.metadata
    name = names.reclaim_name(meta.namespace, meta.name, group.name)
    if group.worker.runtime is Runtime.CUSTOM:
        # A custom image need not hold Headrace: the operator's dead-letters by maxRetries.
        spec = pod_template.worker_pod(pipeline, group, settings.worker_image, config_map, {})
    else:
        fields = pod_template.container_fields(group)
        spec = pod_template.worker_pod(
            pipeline, group, image_of(group, settings), config_map, fields
        )
    container = spec["containers"][0]
    container["command"], container["args"] = ["headrace"], ["reclaim"]
    schedule = group.reclaim.schedule or names.offset_schedule(
        DEFAULT_RECLAIM_SCHEDULE, meta.namespace, name
    )
    return _cron_job(
        pipeline,
        group=group.name,
        name=name,
        job="reclaim",
        schedule=schedule,
        time_zone=None,
        suspend=suspend,
        pod_spec=spec,
    )


def needs_reclaim(seen: GroupView, live: Manifest | None) -> bool:
    """Entries are pending and nobody is there to take them. `live`: the CronJob as it is."""
    if seen.reclaims_itself:
        return False
    if seen.backlog is None or not seen.backlog.exists:
        # Nothing new is known: what was decided when something was known stands.
        return live is not None and not live["spec"].get("suspend", False)
    return seen.backlog.pending - seen.backlog.parked > 0 or seen.backlog.due_now > 0


def trim(pipeline: StreamPipeline, settings: Settings) -> dict[str, Any] | None:
    """None when the pipeline does not trim."""
    policy, config = pipeline.spec.stream.trim, TrimConfig.from_pipeline(pipeline)
    if policy is None or config is None:
        return None
    meta = pipeline.metadata
    name = names.trim_name(meta.namespace, meta.name)
    spec = pod_template.base_pod(pipeline)
    container = pod_template.base_container(pipeline, settings.worker_image, ["headrace"], ["trim"])
    container["env"].append({"name": mounts.ENV_TRIM, "value": config.canonical_json()})
    spec["containers"] = [container]
    schedule = policy.schedule or names.offset_schedule(DEFAULT_TRIM_SCHEDULE, meta.namespace, name)
    return _cron_job(
        pipeline,
        group=None,
        name=name,
        job="trim",
        schedule=schedule,
        time_zone=policy.time_zone,
        suspend=pipeline.spec.suspend,
        pod_spec=spec,
    )


def _cron_job(
    pipeline: StreamPipeline,
    *,
    group: str | None,
    name: str,
    job: str,
    schedule: str,
    time_zone: str | None,
    suspend: bool,
    pod_spec: dict[str, Any],
) -> dict[str, Any]:
    pipeline_name = pipeline.metadata.name
    labels = names.common_labels(pipeline_name, group)
    # Pods of Jobs must never match a Deployment's selector: no group label on them.
    pod_labels = {**names.common_labels(pipeline_name), names.JOB_LABEL: job}
    spec: dict[str, Any] = {
        "schedule": schedule,
        "concurrencyPolicy": "Forbid",
        "suspend": suspend,
        "startingDeadlineSeconds": 120,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {
            "metadata": {"labels": {**labels, names.JOB_LABEL: job}},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": _DEADLINE,
                "template": {
                    "metadata": {"labels": pod_labels},
                    "spec": {**pod_spec, "restartPolicy": "Never"},
                },
            },
        },
    }
    if time_zone is not None:
        spec["timeZone"] = time_zone
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": ownership.metadata(pipeline, name, labels),
        "spec": spec,
    }
