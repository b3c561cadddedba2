"""Helm 3 and Helm 4 make the same of each chart."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import binaries
from tests.support import yaml_text

CHARTS = Path(__file__).parents[3] / "charts"
VALUES = sorted(CHARTS.glob("*/ci/*-values.yaml"))
MONITORS = ("serviceMonitor", "podMonitor", "workerPodMonitor", "prometheusRule")


def run(helm: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm, *words], capture_output=True, text=True, check=False)


def rendered(helm: Path, chart: Path, *words: str | Path) -> list[dict[str, Any]]:
    done = run(helm, "template", "headrace", chart, "--namespace", "headrace-system", *words)
    assert done.returncode == 0, done.stderr
    objects = [item for item in yaml_text.load_all(done.stdout) if item]
    return sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))


def test_they_are_two_versions() -> None:
    told = [run(helm, "version", "--short").stdout for helm in (binaries.helm_3(), binaries.helm())]
    assert [version.split(".")[0] for version in told] == ["v3", "v4"]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_both_render_the_same_objects(values: Path) -> None:
    chart = values.parents[1]
    options: list[str | Path] = ["--values", values]
    if values.name == "everything-values.yaml":
        kinds = MONITORS if chart.name == "headrace" else ("podMonitor",)
        prefix = "metrics." if chart.name == "headrace" else ""
        options += [word for kind in kinds for word in ("--set", f"{prefix}{kind}.enabled=true")]
    by_three = rendered(binaries.helm_3(), chart, *options)
    assert by_three
    assert by_three == rendered(binaries.helm(), chart, *options)


@pytest.mark.parametrize("chart", ["headrace", "pipeline"])
def test_both_lint_without_a_warning(chart: str) -> None:
    values = next((CHARTS / chart / "ci").glob("everything-values.yaml"))
    for helm in (binaries.helm_3(), binaries.helm()):
        done = run(helm, "lint", "--strict", CHARTS / chart, "--values", values)
        assert done.returncode == 0, done.stdout + done.stderr


def test_both_refuse_a_value_that_the_schema_does_not_know() -> None:
    for helm in (binaries.helm_3(), binaries.helm()):
        done = run(helm, "template", CHARTS / "headrace", "--set", "replicaCount=2")
        assert done.returncode != 0
        assert "replicaCount" in done.stderr
