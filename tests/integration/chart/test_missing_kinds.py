"""Monitors where the cluster does not know their kinds: left out, and said so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.cluster import binaries
from tests.support import yaml_text

CHART = Path(__file__).parents[3] / "charts" / "headrace"
PIPELINE = CHART.with_name("pipeline")
OF = "monitoring.coreos.com/v1"
MONITORS = {
    ("ServiceMonitor", "headrace"): "serviceMonitor",
    ("PodMonitor", "headrace"): "podMonitor",
    ("PodMonitor", "headrace-workers"): "workerPodMonitor",
    ("PrometheusRule", "headrace"): "prometheusRule",
}
A_CLUSTER = "apiregistration.k8s.io/v1"
"""What every API server serves."""


def monitors(*served: str, mode: str = "skipIfMissing") -> set[tuple[str, str]]:
    command = [str(binaries.helm()), "template", "headrace", str(CHART)]
    command += [f"--set=metrics.{value}.enabled=true" for value in MONITORS.values()]
    command += [f"--set=metrics.renderMode={mode}", *(f"--api-versions={one}" for one in served)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    items = [item for item in yaml_text.load_all(done.stdout) if item]
    return {(item["kind"], item["metadata"]["name"]) for item in items if item["apiVersion"] == OF}


def test_nobody_told_what_the_cluster_serves_and_all_are_rendered() -> None:
    assert monitors() == MONITORS.keys()


def test_a_cluster_without_the_kinds_gets_none() -> None:
    assert monitors(A_CLUSTER) == set()


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor", "PrometheusRule"])
def test_each_kind_counts_by_itself(kind: str) -> None:
    assert monitors(A_CLUSTER, f"{OF}/{kind}") == {one for one in MONITORS if one[0] == kind}


def test_always_means_always() -> None:
    assert monitors(A_CLUSTER, mode="alwaysRender") == MONITORS.keys()


@pytest.mark.parametrize(
    ("served", "mode", "kept"),
    [
        ((), "skipIfMissing", True),
        ((A_CLUSTER,), "skipIfMissing", False),
        ((A_CLUSTER, f"{OF}/PodMonitor"), "skipIfMissing", True),
        ((A_CLUSTER,), "alwaysRender", True),
    ],
)
def test_the_monitor_of_a_pipeline_follows_the_same_rule(
    served: tuple[str, ...], mode: str, *, kept: bool
) -> None:
    command = [str(binaries.helm()), "template", "flights", str(PIPELINE)]
    command += ["--values", str(PIPELINE / "ci/smallest-values.yaml")]
    command += ["--set=podMonitor.enabled=true", f"--set=podMonitor.renderMode={mode}"]
    command += [f"--api-versions={one}" for one in served]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ("kind: PodMonitor" in done.stdout) == kept
