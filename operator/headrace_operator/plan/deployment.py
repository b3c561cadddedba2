"""The Deployment of a group's workers. `replicas` is added by plan/replicas.py."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from headrace_api import mounts, names
from headrace_api.v1alpha1 import Group, Runtime, StreamPipeline
from headrace_api.worker_config import WorkerConfig
from headrace_operator.plan import connection, ownership, pod_template, references
from headrace_operator.plan.actions import PlanSettings
from headrace_operator.plan.observation import Manifest

CONSUMER_GROUP_ANNOTATION = "headrace.dev/consumer-group"
# Pods that are not ready after this long are reported as a problem.
PROGRESS_DEADLINE_SECONDS = 120
SPEC_HASH_ANNOTATION = "headrace.dev/spec-hash"


def deployment(
    pipeline: StreamPipeline,
    group: Group,
    settings: PlanSettings,
    *,
    name: str,
    config_map: str,
    config: WorkerConfig,
    references_hash: str | None,
) -> dict[str, Any]:
    """`references_hash` changes when handler code or environment objects do: it rolls the pods."""
    labels = names.common_labels(pipeline.name, group.name)
    metadata = ownership.metadata(pipeline, settings, name, labels)
    # When the group has left the spec, only the Deployment still knows its name in Redis.
    metadata["annotations"] = {
        **metadata.get("annotations", {}),
        CONSUMER_GROUP_ANNOTATION: group.consumer_group_name,
    }
    manifest: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": names.selector_labels(pipeline.name, group.name)},
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0},
            },
            "template": {
                "metadata": pod_template.pod_metadata(
                    pipeline,
                    settings,
                    group.worker.pod_template,
                    labels,
                    **_digest_annotation(references_hash),
                ),
                "spec": _pod_spec(pipeline, group, settings, config_map, config),
            },
        },
    }
    metadata["annotations"][SPEC_HASH_ANNOTATION] = _hash(manifest["spec"])
    return manifest


def is_rolled_out(live: Manifest, wanted: Manifest) -> bool:
    """The live Deployment is `wanted` (replicas apart), and no pod of an older one is left."""
    annotations = live["metadata"].get("annotations") or {}
    status = live.get("status") or {}
    return bool(
        annotations.get(SPEC_HASH_ANNOTATION)
        == wanted["metadata"]["annotations"][SPEC_HASH_ANNOTATION]
        and status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) >= status.get("replicas", 0)
    )


def _digest_annotation(references_hash: str | None) -> dict[str, str]:
    return {} if references_hash is None else {references.ANNOTATION: references_hash}


def _pod_spec(
    pipeline: StreamPipeline,
    group: Group,
    settings: PlanSettings,
    config_map: str,
    config: WorkerConfig,
) -> dict[str, Any]:
    spec = pod_template.worker_pod(pipeline, group, settings, config_map)
    container = spec["containers"][0]
    if group.worker.runtime is Runtime.CUSTOM:
        # Our variables stand before the user's, so that they can refer to ours with $(NAME).
        container["env"] = [*connection.custom_environment(config), *container["env"]]
        return _without_empty_command(spec)
    if not container["command"]:
        container["command"] = ["headrace"]
        container["args"] = container["args"] or ["worker"]
    container["ports"] = [
        {"name": mounts.HTTP_PORT_NAME, "containerPort": mounts.HTTP_PORT, "protocol": "TCP"}
    ]
    container |= _probes()
    return _without_empty_command(spec)


def _probes() -> dict[str, Any]:
    """Ready within a second of being so; out of service only after 3 bad answers in a row."""

    def probe(path: str, period: int, failures: int) -> dict[str, Any]:
        return {
            "httpGet": {"path": path, "port": mounts.HTTP_PORT_NAME},
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        }

    return {
        "startupProbe": probe(mounts.LIVEZ_PATH, 1, 60),
        "livenessProbe": probe(mounts.LIVEZ_PATH, 10, 3),
        "readinessProbe": probe(mounts.READYZ_PATH, 5, 3),
    }


def _without_empty_command(spec: dict[str, Any]) -> dict[str, Any]:
    container = spec["containers"][0]
    for name in ("command", "args"):
        if not container[name]:
            del container[name]
    return spec


def _hash(spec: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
