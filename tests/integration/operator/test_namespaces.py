"""A namespace that goes, comes or is forbidden concerns only itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import CALM_LEASE
from tests.support.access import EVERYTHING, LEASES, account, grant, withdraw
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import pipeline_manifest
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

from headrace_operator.kube.kinds import NAMESPACE, STREAM_PIPELINE

UNWATCHED = "headrace_operator_unwatched_namespaces"


class Tenants:
    """Two tenants, the namespace of their operator, and what it may do in each."""

    def __init__(self, kube: Kube, directory: Path, endpoint: str) -> None:
        self.kube = kube
        self.endpoint = endpoint
        self.system, self.one, self.other = (
            kube.make_namespace(name) for name in ("system", "one", "other")
        )
        self.kubeconfig = account(kube, self.system, directory)
        grant(kube, self.system, LEASES, to=self.system)
        for namespace in (self.one, self.other):
            grant(kube, namespace, EVERYTHING, to=self.system)

    @property
    def arguments(self) -> list[str]:
        return [
            f"--namespace={self.one}",
            f"--namespace={self.other}",
            f"--lease-namespace={self.system}",
            "--resync=5",
            "--full-look=2",
            *CALM_LEASE,
        ]

    def apply(self, namespace: str, name: str = "flights") -> None:
        manifest = pipeline_manifest(namespace, self.endpoint, name=name)
        manifest["spec"]["stream"]["name"] = f"{namespace}-{name}"
        self.kube.apply(manifest)

    def is_ready(self, namespace: str, name: str = "flights") -> bool:
        found = condition(self.kube.get(STREAM_PIPELINE, namespace, name), "Ready")
        return found is not None and found["status"] == "True"


@pytest.fixture
def tenants(
    kube: Kube, tmp_path: Path, broker: RedisServer, data: redis.Redis
) -> Iterator[Tenants]:
    made = Tenants(kube, tmp_path, broker.endpoint)
    yield made
    for namespace in (made.one, made.other, made.system):
        if kube.get(NAMESPACE, None, namespace):
            kube.delete(NAMESPACE, None, namespace)


@pytest.fixture
def operator_of_tenants(tenants: Tenants, tmp_path: Path) -> Iterator[OperatorProcess]:
    process = OperatorProcess(tenants.kubeconfig, tmp_path / "operator.log", *tenants.arguments)
    try:
        process.wait_ready()
        until("it leads", lambda: process.leads)
        yield process
    finally:
        process.stop()


def test_a_tenant_whose_namespace_is_deleted_takes_nobody_along(
    kube: Kube, tenants: Tenants, operator_of_tenants: OperatorProcess
) -> None:
    operator = operator_of_tenants
    for namespace in (tenants.one, tenants.other):
        tenants.apply(namespace)
    until("both are served", lambda: all(map(tenants.is_ready, (tenants.one, tenants.other))))
    kube.delete(NAMESPACE, None, tenants.other)
    until("it is gone", lambda: kube.get(NAMESPACE, None, tenants.other) is None, within=60)
    until(
        "the operator says so",
        lambda: operator.metric(UNWATCHED, namespace=tenants.other) == 1,
        within=60,
    )
    tenants.apply(tenants.one, "another")
    until("the other tenant is served", lambda: tenants.is_ready(tenants.one, "another"))
    assert operator.metric(UNWATCHED, namespace=tenants.one) == 0
    assert f"namespace {tenants.other} cannot be watched" in operator.log.read_text()


def test_a_start_while_a_namespace_is_forbidden_serves_the_others_and_later_this_one(
    kube: Kube, tenants: Tenants, tmp_path: Path
) -> None:
    withdraw(kube, tenants.other)
    process = OperatorProcess(tenants.kubeconfig, tmp_path / "operator.log", *tenants.arguments)
    try:
        process.wait_ready()
        for namespace in (tenants.one, tenants.other):
            tenants.apply(namespace)
        until("one is served", lambda: tenants.is_ready(tenants.one))
        assert not tenants.is_ready(tenants.other)
        grant_again(kube, tenants)
        until("so is the other", lambda: tenants.is_ready(tenants.other), within=60)
        assert process.metric(UNWATCHED) == 0
    finally:
        process.stop()


def grant_again(kube: Kube, tenants: Tenants) -> None:
    place = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{tenants.other}"
    kube.request("DELETE", f"{place}/roles/operator")
    grant(kube, tenants.other, EVERYTHING, to=tenants.system)


def test_an_operator_without_rights_to_its_lease_is_not_ready(
    kube: Kube, tenants: Tenants, tmp_path: Path
) -> None:
    withdraw(kube, tenants.system)
    process = OperatorProcess(tenants.kubeconfig, tmp_path / "operator.log", *tenants.arguments)
    try:
        said = until("it says why", lambda: process.readiness() if lease(process) else None)
        assert "forbidden" in said
    finally:
        process.stop()


def lease(process: OperatorProcess) -> Any:
    return "the Lease cannot be taken" in process.readiness()
