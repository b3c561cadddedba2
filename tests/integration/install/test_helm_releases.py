"""What becomes of pipelines when the chart is upgraded, installed twice, or removed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries
from tests.support.control_plane import ControlPlane, running
from tests.support.kubectl import Kubectl
from tests.support.waiting import WAIT_SECONDS, until

CHART = Path(__file__).parents[3] / "charts/headrace"
DEFINITION = "streampipelines.headrace.dev"
SPACE = "airport"
# Helm asks the API server many times for one answer, on a machine that is busy with other tests.
pytestmark = pytest.mark.timeout(400)
PIPELINE = """
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: flights}
spec:
  redis: {endpoints: ["redis:6379"]}
  stream: {name: flights}
  groups: [{name: delays, worker: {handler: "handlers:app", image: x}}]
"""


class Helm:
    """Helm against the control plane. There is no node: releases are not waited for."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def __call__(self, *words: str) -> str:
        done = self.attempt(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(binaries.helm()), f"--kubeconfig={self._kubeconfig}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Of this module's own: here the definition belongs to a release, elsewhere to the tests."""
    with running("releases") as plane:
        yield plane


@pytest.fixture
def kubectl(plane: ControlPlane) -> Kubectl:
    return Kubectl(plane.kubeconfig, plane.kubectl_path)


@pytest.fixture
def helm(plane: ControlPlane, kubectl: Kubectl) -> Iterator[Helm]:
    helm = Helm(plane.kubeconfig)
    yield helm
    for release in json.loads(helm("list", "--all-namespaces", "--output", "json")):
        helm("uninstall", release["name"], "--namespace", release["namespace"])
    definitions = ("crd", DEFINITION, "redisconnections.headrace.dev", "--ignore-not-found")
    # One that goes before its storage is there ("storage is (re)initializing") stays for minutes.
    for one in kubectl("get", *definitions, "-o", "name").splitlines():
        resource = one.partition("/")[2]
        until(f"{resource} that are listed", lambda of=resource: _lists(kubectl, of))
    kubectl("delete", *definitions, "--wait=false")

    def gone() -> bool:
        left = kubectl(
            "get", *definitions, "-o", "jsonpath={.status.conditions}{.items[*].status.conditions}"
        )
        assert not left, left  # the API server says there what it waits for
        return True

    until("definitions that are gone", gone, within=60)


def _lists(kubectl: Kubectl, resource: str) -> bool:
    return kubectl.attempt("get", resource, "--all-namespaces").returncode == 0


def previous(folder: Path) -> Path:
    """The chart as it could have been: an older version, whose definition lacks a field."""
    chart = folder / "headrace"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "0.0.9"}))
    file = chart / "files/streampipelines.yaml"
    definition = yaml.safe_load(file.read_text())
    del spec_of(definition)["suspend"]
    file.write_text(yaml.safe_dump(definition))
    return chart


def spec_of(definition: dict[str, Any]) -> dict[str, Any]:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields: dict[str, Any] = schema["properties"]["spec"]["properties"]
    return fields


def test_an_upgrade_brings_the_new_fields_and_keeps_every_pipeline(
    kubectl: Kubectl, helm: Helm, tmp_path: Path
) -> None:
    kubectl("create", "namespace", SPACE)
    place = ("--namespace", "one", "--create-namespace")
    helm("install", "headrace", str(previous(tmp_path)), *place)
    kubectl("wait", "--for=condition=Established", f"crd/{DEFINITION}", "--timeout=60s")
    until(
        "the kind is served",
        lambda: kubectl.attempt("get", "streampipelines", "-n", SPACE).returncode == 0,
        within=WAIT_SECONDS,
    )
    kubectl("apply", "-n", SPACE, "-f", "-", stdin=PIPELINE)
    uid = kubectl.get("streampipeline/flights", "-n", SPACE)["metadata"]["uid"]

    helm("upgrade", "headrace", str(CHART), *place)
    suspend = ("patch", "streampipeline/flights", "-n", SPACE, "--type=merge")
    field = ("-p", '{"spec": {"suspend": true}}')

    def suspended() -> bool:
        kubectl(*suspend, *field)
        live = kubectl.get("streampipeline/flights", "-n", SPACE)
        assert live["metadata"]["uid"] == uid
        return bool(live["spec"].get("suspend"))

    until("the new field is stored", suspended, within=WAIT_SECONDS)
    helm("rollback", "headrace", "--namespace", "one")
    assert kubectl.get("streampipeline/flights", "-n", SPACE)["metadata"]["uid"] == uid

    helm("uninstall", "headrace", "--namespace", "one")
    kept = kubectl.get("streampipeline/flights", "-n", SPACE)
    assert kept["metadata"]["uid"] == uid


def test_a_second_release_leaves_the_definition_to_the_first(kubectl: Kubectl, helm: Helm) -> None:
    helm("install", "headrace", str(CHART), "--namespace", "two", "--create-namespace")
    place = ("--namespace", "three", "--create-namespace")
    refused = helm.attempt("install", "headrace", str(CHART), *place)
    assert "invalid ownership metadata" in refused.stderr
    helm("install", "headrace", str(CHART), *place, "--set", "crds.enabled=false")
    for space in ("two", "three"):
        assert kubectl.get("deployment/headrace", "-n", space)
    helm("uninstall", "headrace", "--namespace", "three")
    assert kubectl.get(f"crd/{DEFINITION}")
    assert kubectl.get("clusterrole/two-headrace")


def test_monitors_that_the_cluster_cannot_hold_are_left_out_and_named(helm: Helm) -> None:
    words = ("headrace", str(CHART), "--namespace", "monitored", "--create-namespace")
    wanted = ("--set=metrics.serviceMonitor.enabled=true", "--set=metrics.podMonitor.enabled=true")
    notes = helm("install", *words, *wanted)
    assert "Left out: metrics.podMonitor, metrics.serviceMonitor. This cluster has no such" in notes
    refused = helm.attempt("upgrade", *words[:-1], *wanted, "--set=metrics.renderMode=alwaysRender")
    assert refused.returncode != 0
    assert "ServiceMonitor" in refused.stderr
