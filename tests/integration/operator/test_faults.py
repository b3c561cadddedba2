"""Each fault gives a condition that says what to do, and harms nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from tests.support import yaml_text
from tests.support.aged_server import aged
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group, pipeline_manifest
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import until

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    EVENT,
    SECRET,
    STREAM_PIPELINE,
)

CANARY = "c4nary-s3cret"
CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/streampipelines.headrace.dev"

pytestmark = pytest.mark.usefixtures("operator", "data")


def wait_for(kube: Kube, namespace: str, reason: str, name: str = "flights") -> str:
    """The message of the Ready condition once it is False for this reason."""

    def found() -> Any:
        ready = condition(kube.get(STREAM_PIPELINE, namespace, name), "Ready")
        assert ready
        assert ready["reason"] == reason, ready
        return ready

    ready = until(reason, found, within=40)
    assert ready["status"] == "False"
    return str(ready["message"])


def ready(kube: Kube, namespace: str, name: str = "flights") -> bool:
    found = condition(kube.get(STREAM_PIPELINE, namespace, name), "Ready")
    return found is not None and found["status"] == "True"


def secret(namespace: str, password: str = CANARY) -> dict[str, Any]:
    metadata = {"name": "auth", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "stringData": {"password": password},
    }


def test_an_unreachable_redis_harms_only_its_own_pipelines(
    kube: Kube, namespace: str, make: Any
) -> None:
    with running("redis") as server:
        make(name="lame", endpoint=server.endpoint)
        until("lame is Ready", lambda: ready(kube, namespace, "lame"))
        server.kill()
        message = wait_for(kube, namespace, "RedisUnreachable", "lame")
        assert server.endpoint in message
        assert "check redis.endpoints" in message
        before = kube.get(DEPLOYMENT, namespace, "lame-audit")
        make(name="well")
        until("the other is Ready", lambda: ready(kube, namespace, "well"))
        after = kube.get(DEPLOYMENT, namespace, "lame-audit")
        assert before
        assert after
        assert before["spec"] == after["spec"], "unknown is not zero: workers are left alone"
        server.start()
        until("lame is Ready again", lambda: ready(kube, namespace, "lame"), within=60)


def test_a_redis_that_never_answered_says_so_and_starts_no_worker(
    kube: Kube, namespace: str, make: Any
) -> None:
    make(endpoint="127.0.0.1:1", groups=[group("audit", scaling={"mode": "Fixed", "replicas": 2})])
    assert "127.0.0.1:1" in wait_for(kube, namespace, "RedisUnreachable")
    live = kube.get(DEPLOYMENT, namespace, "flights-audit")
    assert live is None or live["spec"]["replicas"] == 0


def test_a_redis_below_the_floor_is_refused_until_it_is_replaced(
    kube: Kube, namespace: str, make: Any, data: redis.Redis, broker: RedisServer
) -> None:
    with aged(broker, "6.2.14") as old:
        make(endpoint=old.endpoint)
        message = wait_for(kube, namespace, "RedisTooOld")
        assert message == (
            f"Redis at {old.endpoint} refuses: redis 6.2.14 is too old;"
            " use Redis 7.0 or newer, or Valkey 8 or newer"
        )
        assert not data.exists("flights"), "nothing was made there"
        old.version = None
        until("Ready", lambda: ready(kube, namespace), within=60)


def test_a_missing_secret_is_named_and_found_when_it_comes(
    kube: Kube, namespace: str, operator: OperatorProcess
) -> None:
    with running("redis") as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", CANARY)
        manifest = pipeline_manifest(namespace, server.endpoint)
        manifest["spec"]["redis"]["credentialsSecretRef"] = {"name": "auth"}
        kube.apply(manifest)
        message = wait_for(kube, namespace, "SecretNotFound")
        assert "Secret auth" in message

        kube.create(secret(namespace, "wrong"))
        message = wait_for(kube, namespace, "RedisRefused")
        assert "holds other credentials" in message

        kube.patch(SECRET, namespace, "auth", {"stringData": {"password": CANARY}})
        until("Ready", lambda: ready(kube, namespace), within=60)

        kube.patch(SECRET, namespace, "auth", {"data": {"password": None, "other": "eA=="}})
        message = wait_for(kube, namespace, "KeyNotFound")
        assert "password" in message

        everything = [
            operator.log.read_text(),
            json.dumps(kube.list(STREAM_PIPELINE, namespace)),
            json.dumps(kube.list(CONFIG_MAP, namespace)),
            json.dumps(kube.list(DEPLOYMENT, namespace)),
            json.dumps(kube.list(CRON_JOB, namespace)),
            json.dumps(kube.list(EVENT, namespace)),
            operator.metrics_page(),
            " ".join(operator.process.args),  # type: ignore[arg-type]
        ]
        assert not any(CANARY in text for text in everything)


def test_a_key_that_is_no_stream_says_what_it_holds(
    kube: Kube, namespace: str, make: Any, data: redis.Redis
) -> None:
    data.set("flights", "not a stream")
    make()

    def found() -> Any:
        seen = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Ready")
        return seen and seen["reason"] in ("WrongType", "RedisRefused") and seen["message"]

    message = until("a reason", found)
    assert "stream" in message
    data.delete("flights")
    until("Ready", lambda: ready(kube, namespace), within=60)


def test_a_child_that_the_api_server_refuses_is_told_with_its_own_words(
    kube: Kube, namespace: str, make: Any
) -> None:
    odd = group("audit")
    # Our schema takes any operator of a toleration; a pod knows two.
    tolerations = [{"key": "a", "operator": "Sometimes"}]
    odd["worker"]["podTemplate"] = {"spec": {"tolerations": tolerations}}
    make(groups=[odd, group("fine")])
    message = wait_for(kube, namespace, "InvalidChild")
    assert "Deployment flights-audit" in message
    assert "Sometimes" in message
    stalled = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Stalled")
    assert stalled
    assert stalled["status"] == "True"
    until("the other group has workers", lambda: kube.get(DEPLOYMENT, namespace, "flights-fine"))
    make(groups=[group("audit"), group("fine")])
    until("Ready", lambda: ready(kube, namespace))


def test_a_poisoned_resource_harms_nobody_else(
    kube: Kube, namespace: str, make: Any, pytestconfig: pytest.Config
) -> None:
    """Stored while another schema stood: the models refuse what the API server holds."""
    path = pytestconfig.rootpath / "crds/streampipelines.headrace.dev.yaml"
    proper = yaml_text.load(path.read_text())
    loose = yaml_text.load(path.read_text())
    for version in loose["spec"]["versions"]:
        spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec
    query = [("fieldManager", "tests"), ("force", "true")]

    def define(manifest: dict[str, Any]) -> None:
        kube.request("PATCH", CRD_PATH, manifest, "application/apply-patch+yaml", query)

    poison = pipeline_manifest(namespace, "x", name="poison", groups=7, password=CANARY)
    define(loose)
    try:
        # The API server takes a moment to serve the other schema.
        until("the poison is stored", lambda: stored(kube, poison))
        message = wait_for(kube, namespace, "InvalidSpec", "poison")
        assert "spec.groups" in message
        assert CANARY not in message
        make(name="well")
        until("the other is Ready", lambda: ready(kube, namespace, "well"))
    finally:
        define(proper)
        kube.delete(STREAM_PIPELINE, namespace, "poison")


def stored(kube: Kube, manifest: dict[str, Any]) -> bool:
    try:
        kube.create(manifest)
    except AssertionError:
        return False
    return True
