"""Short StreamPipelines for tests of the operator."""

from __future__ import annotations

from typing import Any

from headrace_operator.kube.kinds import STREAM_PIPELINE


def pipeline_manifest(
    namespace: str, endpoint: str, *, name: str = "flights", **spec: Any
) -> dict[str, Any]:
    """A pipeline with one group ``audit`` unless ``groups`` are given."""
    return {
        "apiVersion": STREAM_PIPELINE.api_version,
        "kind": STREAM_PIPELINE.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "redis": {"endpoints": [endpoint]},
            "stream": {"name": name},
            "groups": [group("audit")],
            **spec,
        },
    }


LEAP_DAY = "0 0 29 2 *"
"""A schedule that a test will not meet: a CronJob that fires is written by its controller."""


def group(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "worker": {"handler": "handlers:app"}, **fields}
