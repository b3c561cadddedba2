"""The chart's promises that need no server: what it renders and what it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "headrace"
CRD = ROOT / "crds" / "streampipelines.headrace.dev.yaml"


@pytest.fixture(scope="session")
def helm() -> str:
    return str(binaries.helm())


def render(helm: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [helm, "template", "headrace", str(CHART), "--namespace", "headrace-system"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def objects(helm: str, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    done = render(helm, *arguments)
    assert done.returncode == 0, done.stderr
    return {
        (item["kind"], item["metadata"]["name"]): item
        for item in yaml.safe_load_all(done.stdout)
        if item
    }


def test_two_renders_are_the_same_text(helm: str) -> None:
    assert render(helm).stdout == render(helm).stdout


def test_the_definition_in_the_chart_is_the_generated_one(helm: str) -> None:
    rendered = objects(helm)["CustomResourceDefinition", "streampipelines.headrace.dev"]
    generated = yaml.safe_load(CRD.read_text())
    assert rendered["spec"] == generated["spec"]


def test_the_definition_survives_an_uninstall_unless_told_otherwise(helm: str) -> None:
    key = ("CustomResourceDefinition", "streampipelines.headrace.dev")
    kept = objects(helm)[key]["metadata"]["annotations"]
    assert kept["helm.sh/resource-policy"] == "keep"
    dropped = objects(helm, "--set", "crds.keep=false")[key]["metadata"]
    assert "helm.sh/resource-policy" not in dropped.get("annotations", {})
    assert key not in objects(helm, "--set", "crds.enabled=false")


@pytest.mark.parametrize(
    "value",
    ["workerimage.tag=1", "image.pullPolicy=Sometimes", "watchNamespaces={A_b}", "replicas=x"],
)
def test_a_value_that_the_schema_does_not_know_is_refused(helm: str, value: str) -> None:
    done = render(helm, "--set", value)
    assert done.returncode != 0
    assert "schema" in done.stderr


def test_with_a_list_of_namespaces_no_right_is_given_in_others(helm: str) -> None:
    rendered = objects(helm, "--set", "watchNamespaces={airport,harbour}")
    bindings = [name for kind, name in rendered if kind == "ClusterRoleBinding"]
    assert bindings == []
    roles = yaml.safe_load_all(render(helm, "--set", "watchNamespaces={airport,harbour}").stdout)
    spaces = {
        role["metadata"]["namespace"]
        for role in roles
        if role and role["kind"] == "RoleBinding" and role["metadata"]["name"] == "headrace"
    }
    assert spaces == {"airport", "harbour"}


def test_secrets_are_read_by_name_only(helm: str) -> None:
    rules = objects(helm)["ClusterRole", "headrace"]["rules"]
    on_secrets = [rule["verbs"] for rule in rules if "secrets" in rule["resources"]]
    assert on_secrets == [["get"]]


def test_no_right_is_given_by_a_wildcard(helm: str) -> None:
    for (kind, _), item in objects(helm).items():
        if kind in ("Role", "ClusterRole"):
            for rule in item["rules"]:
                assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


def test_a_service_monitor_selects_the_metrics_service(helm: str) -> None:
    rendered = objects(helm, "--set", "metrics.serviceMonitor.enabled=true")
    wanted = rendered["ServiceMonitor", "headrace"]["spec"]["selector"]["matchLabels"]
    labels = rendered["Service", "headrace-metrics"]["metadata"]["labels"]
    assert wanted.items() <= labels.items()
