"""Installs without Helm: the API server takes them, and a second apply changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import yaml_text
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import Kubectl

from headrace_operator.settings import parse

KUSTOMIZE = Path(__file__).parents[3] / "charts" / "kustomize"
FLAVOURS = ["base", "namespaced"]


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Iterator[Kubectl]:
    kubectl = Kubectl(control_plane.kubeconfig, control_plane.kubectl_path)
    kubectl("create", "namespace", "pipelines")
    yield kubectl
    kubectl("delete", "namespace", "pipelines", "headrace-system", "--wait=false")
    kubectl(
        *("delete", "clusterroles,clusterrolebindings", "--ignore-not-found"),
        *("-l", "app.kubernetes.io/part-of=headrace"),
    )
    kubectl("wait", "--for=delete", "namespace/headrace-system", "--timeout=60s")
    kubectl("wait", "--for=delete", "namespace/pipelines", "--timeout=60s")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_server_takes_it_and_a_second_apply_differs_in_nothing(
    kubectl: Kubectl, flavour: str
) -> None:
    kubectl("apply", "--server-side", "-k", str(KUSTOMIZE / flavour))
    again = kubectl.attempt("diff", "--server-side", "-k", str(KUSTOMIZE / flavour))
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_operator_takes_the_arguments(flavour: str) -> None:
    items = yaml_text.load_all((KUSTOMIZE / flavour / "operator.yaml").read_text())
    (deployment,) = [item for item in items if item["kind"] == "Deployment"]
    settings = parse(deployment["spec"]["template"]["spec"]["containers"][0]["args"])
    assert settings.namespaces == (("pipelines",) if flavour == "namespaced" else ())


def test_the_namespaced_flavour_asks_for_no_cluster_wide_right() -> None:
    items = yaml_text.load_all((KUSTOMIZE / "namespaced" / "operator.yaml").read_text())
    assert not {item["kind"] for item in items} & {"ClusterRole", "ClusterRoleBinding"}
