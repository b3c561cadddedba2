"""`rbac.secretNames` of the chart: what the operator may read, and what it says of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.chart.test_chart import helm, objects  # noqa: F401 - a fixture
from tests.integration.operator.conftest import CALM_LEASE
from tests.support.access import (
    account,
    grant,
    grant_everywhere,
    installed_rules,
    withdraw_everywhere,
)
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.waiting import until

from headrace_operator.kube.kinds import DEPLOYMENT, NAMESPACE, SECRET, STREAM_PIPELINE


@pytest.fixture
def listed(kube: Kube, helm: str, tmp_path: Path) -> Iterator[OperatorProcess]:  # noqa: F811
    """An operator with the rights of a chart that lists one Secret."""
    rendered = objects(helm, "--set", "rbac.secretNames={allowed}")
    home = kube.make_namespace("system")
    kubeconfig = account(kube, home, tmp_path)
    everywhere = rendered["ClusterRole", "headrace-system-headrace"]["rules"]
    grant_everywhere(kube, everywhere, to=home)
    grant(kube, home, installed_rules("Role"), to=home)
    flags = (f"--lease-namespace={home}", "--full-look=2", *CALM_LEASE)
    process = OperatorProcess(kubeconfig, tmp_path / "operator.log", *flags, lease="headrace")
    try:
        yield process.wait_ready()
    finally:
        process.stop()
        withdraw_everywhere(kube, home)
        kube.delete(NAMESPACE, None, home)


def test_a_listed_secret_is_used_and_another_is_refused_by_name(
    listed: OperatorProcess, kube: Kube, namespace: str, make: Any
) -> None:
    for name in ("allowed", "other"):
        metadata = {"name": name, "namespace": namespace}
        kube.create({"apiVersion": "v1", "kind": SECRET.kind, "metadata": metadata})

    def applied(secret: str) -> None:
        worker = {
            "handler": "handlers:app",
            "image": "x",
            "envFrom": [{"secretRef": {"name": secret}}],
        }
        make(groups=[group("delays", worker=worker)])

    def ready() -> dict[str, Any]:
        return condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Ready") or {}

    applied("other")
    until(
        "the refusal is told", lambda: 'secrets "other" is forbidden' in ready().get("message", "")
    )
    assert ready()["status"] == "False"
    applied("allowed")
    until("it is ready", lambda: ready().get("status") == "True")
    assert kube.get(DEPLOYMENT, namespace, "flights-delays")
