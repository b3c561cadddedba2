"""The manifests that a person keeps in hand, and what they ask for. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from math import ceil
from typing import Any

from headrace_operator.kube.kinds import STREAM_PIPELINE
from tests.hostile.story import Shape

Manifest = dict[str, Any]
TARGET = 100
MOST = 5
CODE, SETTINGS, PASSWORD = "code", "settings", "redis-auth"
AUTOMATIC = {
    "targetBacklog": TARGET,
    "maxReplicas": MOST,
    "minReplicas": 0,
    "scaleDownAfter": "1s",
}


def pipeline(
    namespace: str, name: str, stream: str, endpoint: str, groups: list[Manifest], **spec: Any
) -> Manifest:
    return {
        "apiVersion": STREAM_PIPELINE.api_version,
        "kind": STREAM_PIPELINE.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "redis": {"endpoints": [endpoint]},
            "stream": {"name": stream},
            "groups": groups,
            **spec,
        },
    }


def group(name: str, scaling: Mapping[str, Any], **worker: Any) -> Manifest:
    return {
        "name": name,
        "worker": {"handler": "handlers:app", **worker},
        "scaling": dict(scaling),
    }


def fixed(replicas: int) -> Manifest:
    return {"mode": "Fixed", "replicas": replicas}


def victim(namespace: str, endpoint: str, shape: Shape) -> Manifest:
    """The pipeline that everything is done to: one group in each mode of scaling."""
    groups = [
        group("audit", AUTOMATIC, codeConfigMapRef={"name": CODE}),
        group("delays", fixed(2), envFrom=[{"secretRef": {"name": SETTINGS}}]),
        group("bills", {"mode": "External"}),
    ]
    made = pipeline(
        namespace, "flights", "flights", endpoint, groups, deletionPolicy=shape.deletion_policy
    )
    if shape.password:
        made["spec"]["redis"]["credentialsSecretRef"] = {"name": PASSWORD}
    if shape.trim:
        made["spec"]["stream"]["trim"] = {"maxLength": 1_000_000, "schedule": "0 0 1 1 *"}
    return made


def neighbour(namespace: str, endpoint: str, stream: str) -> Manifest:
    custom = {"runtime": "Custom", "image": "example.com/worker:1"}  # no CronJobs: it costs less
    groups = [
        {"name": "steady", "worker": custom, "scaling": fixed(2)},
        {"name": "swing", "worker": custom, "scaling": dict(AUTOMATIC)},
    ]
    return pipeline(namespace, "calm", stream, endpoint, groups)


def renamed(manifest: Manifest, name: str) -> Manifest:
    other = copy.deepcopy(manifest)
    other["metadata"]["name"] = name
    return other


def consumer_group(group: Mapping[str, Any]) -> str:
    return str(group.get("consumerGroup") or group["name"])


def wanted_replicas(manifest: Manifest, group: Mapping[str, Any], ready: int) -> int | None:
    """None: somebody else's number."""
    if manifest["spec"].get("suspend"):
        return 0
    scaling = group.get("scaling") or {}
    mode = scaling.get("mode", "Automatic")
    if mode == "External":
        return None
    if mode == "Fixed":
        return int(scaling["replicas"])
    need = ceil(ready / scaling.get("targetBacklog", TARGET))
    most, least = scaling.get("maxReplicas", 10), scaling.get("minReplicas", 0)
    return int(max(least, min(need, most)))
