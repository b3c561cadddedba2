"""The CronJobs: reclaim for each group that may need it, trim for a pipeline that asks for it.

A run costs about 20 API writes, so reclaim is suspended while workers do it themselves.
"""

from __future__ import annotations

from typing import Any

from headrace_api import mounts, names
from headrace_api.jobs import DEADLINE_SECONDS
from headrace_api.v1alpha1 import (
    DEFAULT_RECLAIM_SCHEDULE,
    DEFAULT_TRIM_SCHEDULE,
    Group,
    JobPodTemplate,
    PodTemplate,
    Runtime,
    StreamPipeline,
)
from headrace_api.worker_config import TrimConfig
from headrace_operator.plan import ownership, pod_template
from headrace_operator.plan.actions import PlanSettings


def reclaim(
    pipeline: StreamPipeline, group: Group, settings: PlanSettings, name: str, config_map: str
) -> dict[str, Any]:
    # A custom image need not hold Headrace: the operator's dead-letters by maxRetries.
    custom = group.worker.runtime is Runtime.CUSTOM
    spec = pod_template.worker_pod(pipeline, group, settings, config_map, operators_image=custom)
    container = spec["containers"][0]
    container["command"], container["args"] = ["headrace"], ["reclaim"]
    schedule = group.reclaim.schedule or names.offset_schedule(
        DEFAULT_RECLAIM_SCHEDULE, pipeline.namespace, name
    )
    return _cron_job(
        pipeline,
        settings,
        group=group.name,
        name=name,
        job="reclaim",
        template=group.worker.pod_template,
        schedule=schedule,
        time_zone=None,
        suspend=False,
        pod_spec=spec,
    )


def trim(pipeline: StreamPipeline, settings: PlanSettings) -> dict[str, Any] | None:
    """None when the pipeline does not trim."""
    policy, config = pipeline.spec.stream.trim, TrimConfig.from_pipeline(pipeline)
    if policy is None or config is None:
        return None
    name = names.trim_name(pipeline.namespace, pipeline.name)
    container = pod_template.base_container(
        pipeline, settings, settings.worker_image, ["headrace"], ["trim"]
    )
    container["env"].append({"name": mounts.ENV_TRIM, "value": config.canonical_json()})
    if policy.resources is not None:
        container["resources"] = policy.resources.manifest()
    spec = pod_template.base_pod(pipeline, settings)
    if policy.pod_template is not None:
        spec = pod_template.merged(spec, policy.pod_template.spec_manifest())
    spec["containers"] = [container]
    schedule = policy.schedule or names.offset_schedule(
        DEFAULT_TRIM_SCHEDULE, pipeline.namespace, name
    )
    return _cron_job(
        pipeline,
        settings,
        group=None,
        name=name,
        job="trim",
        template=policy.pod_template,
        schedule=schedule,
        time_zone=policy.time_zone,
        suspend=pipeline.spec.suspend,
        pod_spec=spec,
    )


def _cron_job(
    pipeline: StreamPipeline,
    settings: PlanSettings,
    *,
    group: str | None,
    name: str,
    job: str,
    template: PodTemplate | JobPodTemplate | None,
    schedule: str,
    time_zone: str | None,
    suspend: bool,
    pod_spec: dict[str, Any],
) -> dict[str, Any]:
    labels = names.common_labels(pipeline.name, group)
    # Pods of Jobs must never match a Deployment's selector: no group label on them.
    pod_labels = {**names.common_labels(pipeline.name), names.JOB_LABEL: job}
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
                "activeDeadlineSeconds": DEADLINE_SECONDS,
                "template": {
                    "metadata": pod_template.pod_metadata(pipeline, settings, template, pod_labels),
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
        "metadata": ownership.metadata(pipeline, settings, name, labels),
        "spec": spec,
    }
