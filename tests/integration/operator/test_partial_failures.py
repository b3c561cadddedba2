"""What fails for one child, or for the status, keeps nothing else from being done, and is told."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import CALM_LEASE, CRD, CRD_PATH
from tests.support import yaml_text
from tests.support.faulty_api import Fault, FaultyApi
from tests.support.kube import Kube, Refused, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group, pipeline_manifest
from tests.support.redis_servers import running
from tests.support.waiting import until

from headrace_operator.kube.kinds import DEPLOYMENT, SECRET, STREAM_PIPELINE

WEBHOOK = Fault("failed calling webhook", answer=500)
FORBIDDEN = Fault("forbidden", answer=403)
REFUSED = Fault("refused by the schema", answer=422)


@pytest.fixture
def api(kube: Kube, tmp_path: Path) -> Iterator[FaultyApi]:
    with FaultyApi(kube.kubeconfig, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def behind(api: FaultyApi, tmp_path: Path, data: redis.Redis) -> Iterator[OperatorProcess]:
    """An operator that sees the API server through the proxy only, and leads."""
    log = tmp_path / "operator.log"
    process = OperatorProcess(api.kubeconfig, log, "--full-look=60", *CALM_LEASE)
    try:
        process.wait_ready()
        until("it leads", lambda: process.leads)
        yield process
    finally:
        process.stop()


def ready(kube: Kube, namespace: str) -> Any:
    return condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Ready")


def becomes_ready(kube: Kube, namespace: str, within: float = 60) -> None:
    until("Ready", lambda: ready(kube, namespace)["status"] == "True", within=within)


def reason(kube: Kube, namespace: str, wanted: str) -> str:
    def look() -> Any:
        found = ready(kube, namespace)
        assert found["reason"] == wanted, found
        return found if found["reason"] == wanted else None

    found = until(wanted, look, within=40)
    assert found["status"] == "False"
    return str(found["message"])


def test_a_webhook_that_fails_for_one_child_keeps_no_other_and_stands_in_the_status(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, data: redis.Redis,
    make: Any,
) -> None:  # fmt: skip
    def fate(method: str, path: str) -> Fault | None:
        return WEBHOOK if method == "PATCH" and "/deployments/flights-alpha" in path else None

    api.fate = fate
    made = make(groups=[group("alpha"), group("beta")])
    data.xadd("flights", {"n": 1})
    until("beta has a worker", lambda: kube.replicas(namespace, "flights-beta") == 1, within=40)
    message = reason(kube, namespace, "ApiServerFailed")
    assert "Deployment flights-alpha" in message
    assert "failed calling webhook" in message
    live = kube.get(STREAM_PIPELINE, namespace, "flights")
    assert live
    assert live["status"]["observedGeneration"] == made["metadata"]["generation"]
    api.fate = lambda _method, _path: None
    until("alpha follows", lambda: kube.replicas(namespace, "flights-alpha") == 1, within=90)


def test_secrets_that_may_not_be_read_are_told_and_what_runs_goes_on(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, make: Any
) -> None:
    api.fate = lambda _method, path: FORBIDDEN if "/secrets/" in path else None
    with running("redis") as server:
        credentials = {"credentialsSecretRef": {"name": "auth"}, "endpoints": [server.endpoint]}
        make(redis=credentials)
        message = reason(kube, namespace, "Forbidden")
        assert "test: forbidden" in message
        kube.create(secret(namespace, ""))
        api.fate = lambda _method, _path: None
        until("it is found", lambda: ready(kube, namespace)["reason"] != "Forbidden", within=30)


def test_a_spec_that_cannot_be_used_is_told_although_the_first_try_to_say_so_failed(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, pytestconfig: pytest.Config
) -> None:
    """Stored while another schema stood, so that the models refuse it."""
    proper = yaml_text.load((pytestconfig.rootpath / CRD).read_text())
    loose = copy.deepcopy(proper)
    for version in loose["spec"]["versions"]:
        spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec

    def define(manifest: dict[str, Any]) -> None:
        query = [("fieldManager", "tests"), ("force", "true")]
        kube.request("PATCH", CRD_PATH, manifest, "application/apply-patch+yaml", query)

    def stored() -> bool:
        try:
            return bool(kube.create(pipeline_manifest(namespace, "x", groups=7)))
        except Refused:
            return False

    api.fate = lambda method, path: WEBHOOK if method == "PATCH" and "/status" in path else None
    define(loose)
    try:
        until("the poison is stored", stored)
        until("a try was struck", lambda: api.struck > 1)
        api.fate = lambda _method, _path: None
        assert "spec.groups" in reason(kube, namespace, "InvalidSpec")
    finally:
        define(proper)
        kube.delete(STREAM_PIPELINE, namespace, "flights")


def test_a_status_that_is_refused_keeps_no_worker_from_starting(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, data: redis.Redis,
    make: Any,
) -> None:  # fmt: skip
    api.fate = lambda method, path: REFUSED if method == "PATCH" and "/status" in path else None
    make(groups=[group("audit"), group("old")])
    data.xadd("flights", {"n": 1})
    until("its worker", lambda: kube.replicas(namespace, "flights-audit") == 1, within=40)
    make(groups=[group("audit", scaling={"mode": "Fixed", "replicas": 3})])
    until("three", lambda: kube.replicas(namespace, "flights-audit") == 3, within=40)
    until("the other's end", lambda: kube.replicas(namespace, "flights-old") == 0, within=40)
    assert kube.get(DEPLOYMENT, namespace, "flights-old"), "its last trace while no status is"


def test_a_secret_that_comes_is_found_within_seconds(
    kube: Kube, behind: OperatorProcess, namespace: str, make: Any
) -> None:
    """Though the operator looks at all of them only once in 60 s."""
    with running("redis") as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", "c4nary")
        make(redis={"credentialsSecretRef": {"name": "auth"}, "endpoints": [server.endpoint]})
        reason(kube, namespace, "SecretNotFound")
        kube.create(secret(namespace, "wrong"))
        reason(kube, namespace, "RedisRefused")
        came = time.monotonic()
        # As `echo c4nary | base64` makes it: the newline belongs to no password.
        kube.patch(SECRET, namespace, "auth", {"stringData": {"password": "c4nary\n"}})
        becomes_ready(kube, namespace)
        assert time.monotonic() - came < 25


def secret(namespace: str, password: str) -> dict[str, Any]:
    metadata = {"name": "auth", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "stringData": {"password": password},
    }
