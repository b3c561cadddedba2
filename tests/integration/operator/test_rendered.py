"""What `headrace render` prints is what the operator applies: applied again it changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import redis
from tests.support.kube import Kube
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.waiting import until

from headrace_api import FIELD_MANAGER
from headrace_operator.kube.kinds import BY_KIND, STREAM_PIPELINE


def rendered(pipeline: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "headrace", "render", "-", "-o", "json"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        input=json.dumps(pipeline),
    )
    return list(json.loads(done.stdout)["items"])


def applied_again(kube: Kube, child: dict[str, Any]) -> dict[str, Any]:
    """As the API server would store it; nothing is written."""
    query = [("fieldManager", FIELD_MANAGER), ("force", "true"), ("dryRun", "All")]
    metadata = child["metadata"]
    path = BY_KIND[child["kind"]].path(metadata["namespace"], metadata["name"])
    return kube.request("PATCH", path, child, "application/apply-patch+yaml", query)


@pytest.mark.parametrize("is_suspended", [False, True])
def test_the_children_as_they_are(
    kube: Kube,
    operator: OperatorProcess,
    namespace: str,
    data: redis.Redis,
    make: Any,
    is_suspended: bool,
) -> None:
    make(
        groups=[
            group("delays"),
            group("audit", scaling={"mode": "Fixed", "replicas": 2}),
            group("bills", scaling={"mode": "External"}),
        ],
        stream={"name": "flights", "trim": {"maxLength": 1000}},
        suspend=is_suspended,
    )
    children: list[dict[str, Any]] = []

    def is_settled() -> bool:
        pipeline = kube.get(STREAM_PIPELINE, namespace, "flights")
        children[:] = rendered(pipeline) if pipeline else []
        return all(applied_again(kube, child) == live(kube, child) for child in children)

    until("nothing differs", is_settled)
    assert len(children) == 1 + 3 * 3 + 1  # account; configuration, workers, reclaim; trim


def live(kube: Kube, child: dict[str, Any]) -> dict[str, Any] | None:
    metadata = child["metadata"]
    return kube.get(BY_KIND[child["kind"]], metadata["namespace"], metadata["name"])
