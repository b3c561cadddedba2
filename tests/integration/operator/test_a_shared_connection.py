"""One RedisConnection, many pipelines: they go where it says, and its status says what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import DEFINITIONS, StartOperator, is_served
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group, pipeline_manifest
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import until

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    REDIS_CONNECTION,
    SECRET,
    STREAM_PIPELINE,
)

PIPELINES = ("one", "two", "three")


@pytest.fixture
def first() -> Iterator[RedisServer]:
    with running("redis") as server:
        yield server


@pytest.fixture
def second() -> Iterator[RedisServer]:
    with running("valkey", "--appendonly", "yes") as server:
        yield server


def connection(namespace: str, server: RedisServer, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": REDIS_CONNECTION.api_version,
        "kind": REDIS_CONNECTION.kind,
        "metadata": {"name": "shared", "namespace": namespace},
        "spec": {"endpoints": [server.endpoint], **spec},
    }


def pipeline(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    groups = [group("audit", scaling={"mode": "Fixed", "replicas": 1})]
    manifest = pipeline_manifest(namespace, "", name=name, groups=groups, **spec)
    manifest["spec"]["redis"] = {"connectionRef": {"name": "shared"}}
    return manifest


def claimed(server: RedisServer) -> set[str]:
    """Names of the pipelines that have a group there."""
    with redis.Redis(port=server.port, decode_responses=True) as client:
        keys = list(client.scan_iter("headrace:*:state:*"))
        return {name for name in PIPELINES if any(f"{{{name}}}" in key for key in keys)}


def sent_to(kube: Kube, namespace: str, name: str) -> list[str]:
    """The endpoints that workers are told, by the Deployment's own configuration."""
    live = kube.get(DEPLOYMENT, namespace, f"{name}-audit")
    assert live is not None
    volumes = live["spec"]["template"]["spec"]["volumes"]
    (config,) = (one["configMap"]["name"] for one in volumes if "configMap" in one)
    found = kube.get(CONFIG_MAP, namespace, config)
    assert found is not None
    endpoints: list[str] = json.loads(found["data"]["worker.json"])["redis"]["endpoints"]
    return endpoints


def deployment(kube: Kube, namespace: str) -> dict[str, Any]:
    live = kube.get(DEPLOYMENT, namespace, "one-audit")
    assert live is not None
    return live


def status(kube: Kube, namespace: str) -> dict[str, Any]:
    live = kube.get(REDIS_CONNECTION, namespace, "shared")
    assert live is not None
    found: dict[str, Any] = live.get("status") or {}
    return found


def told_of(kube: Kube, namespace: str, server: str) -> dict[str, Any] | None:
    """The status, once it is of that server."""
    found = status(kube, namespace)
    return found if found.get("server", "").startswith(server) else None


def reason(kube: Kube, namespace: str, name: str) -> str:
    found = condition(kube.get(STREAM_PIPELINE, namespace, name), "Ready")
    return str(found["reason"]) if found else ""


def endpoint(kube: Kube, namespace: str, name: str) -> str | None:
    live = kube.get(STREAM_PIPELINE, namespace, name)
    assert live is not None
    return live.get("status", {}).get("endpoint")


def test_all_pipelines_follow_a_change_in_one_place(
    kube: Kube,
    namespace: str,
    operator: OperatorProcess,
    first: RedisServer,
    second: RedisServer,
) -> None:
    for name in PIPELINES:
        kube.apply(pipeline(namespace, name))
    until("it is missed", lambda: reason(kube, namespace, "one") == "ConnectionNotFound")
    assert kube.get(DEPLOYMENT, namespace, "one-audit") is None

    kube.apply(connection(namespace, first))
    until("all are there", lambda: claimed(first) == set(PIPELINES), within=40)
    for name in PIPELINES:
        until("workers go there", lambda n=name: sent_to(kube, namespace, n) == [first.endpoint])
    until("the column says it", lambda: endpoint(kube, namespace, "one") == first.endpoint)
    told = until("it is told", lambda: told_of(kube, namespace, "redis 7."))
    assert (told["role"], told["evictionPolicy"]) == ("primary, 0 replicas", "noeviction")
    assert told["persistence"] == "no appendonly"
    risk = condition({"status": told}, "PersistenceRisk")
    assert risk is not None
    assert "write dataLoss: Accept" in risk["message"]

    kube.apply(connection(namespace, second))
    until("all have moved", lambda: claimed(second) == set(PIPELINES), within=40)
    for name in PIPELINES:
        until("workers follow", lambda n=name: sent_to(kube, namespace, n) == [second.endpoint])
    told = until("it is told", lambda: told_of(kube, namespace, "valkey 8."))
    assert (told["persistence"], told["pipelines"]) == ("appendonly", len(PIPELINES))
    assert condition({"status": told}, "PersistenceRisk") is None


def test_deleting_one_that_is_in_use_moves_nobody(
    kube: Kube, namespace: str, operator: OperatorProcess, first: RedisServer
) -> None:
    kube.apply(connection(namespace, first))
    kube.apply(pipeline(namespace, "one"))
    until("workers go there", lambda: sent_to(kube, namespace, "one") == [first.endpoint])
    until("the worker is there", lambda: deployment(kube, namespace)["spec"]["replicas"] == 1)
    before = deployment(kube, namespace)
    kube.delete(REDIS_CONNECTION, namespace, "shared")
    until("it is missed", lambda: reason(kube, namespace, "one") == "ConnectionNotFound")
    with redis.Redis(port=first.port) as client:
        client.xadd("one", {"type": "t", "version": 1, "payload": "{}"})
    until(
        "the backlog is followed all the same",
        lambda: kube.get(STREAM_PIPELINE, namespace, "one")["status"].get("lag") == 1,
        within=40,
    )
    assert deployment(kube, namespace)["spec"] == before["spec"]
    kube.apply(connection(namespace, first))
    until("it is found", lambda: reason(kube, namespace, "one") not in ("", "ConnectionNotFound"))


def test_a_pipeline_that_is_deleted_with_its_connection_leaves_no_group(
    kube: Kube, namespace: str, operator: OperatorProcess, first: RedisServer
) -> None:
    kube.apply(connection(namespace, first))
    kube.apply(pipeline(namespace, "one", deletionPolicy="Delete"))
    until("the group is there", lambda: claimed(first) == {"one"}, within=40)
    kube.delete(REDIS_CONNECTION, namespace, "shared")
    kube.delete(STREAM_PIPELINE, namespace, "one")
    gone = lambda: kube.get(STREAM_PIPELINE, namespace, "one") is None  # noqa: E731
    until("it is gone", gone, within=60)
    assert claimed(first) == set()


def test_why_nothing_is_known_is_told_in_words(
    kube: Kube, namespace: str, operator: OperatorProcess, first: RedisServer
) -> None:
    def ready(why: str) -> str:
        def look() -> Any:
            found = condition({"status": status(kube, namespace)}, "Ready")
            return found if found and found["reason"] == why else None

        return str(until(why, look, within=40)["message"])

    kube.apply(connection(namespace, first, credentialsSecretRef={"name": "auth"}))
    assert "Secret auth" in ready("SecretNotFound")
    metadata = {"name": "auth", "namespace": namespace}
    data = {"password": "c4nary-s3cret"}
    kube.create({"apiVersion": "v1", "kind": SECRET.kind, "metadata": metadata, "stringData": data})
    with redis.Redis(port=first.port) as client:
        client.config_set("requirepass", "other")
    assert "c4nary" not in ready("RedisRefused")
    with redis.Redis(port=first.port, password="other") as client:
        client.config_set("requirepass", "c4nary-s3cret")
    ready("Available")
    first.kill()
    assert first.endpoint in ready("RedisUnreachable")
    assert "c4nary" not in operator.log.read_text()


def test_without_the_definition_pipelines_are_served_all_the_same(
    kube: Kube,
    namespace: str,
    make: Any,
    start_operator: StartOperator,
    pytestconfig: pytest.Config,
) -> None:
    """Whoever upgrades the operator alone."""
    path = f"{DEFINITIONS}/redisconnections.headrace.dev"
    definition = kube.request("GET", path)
    kube.request("DELETE", path)
    try:
        until("it is gone", lambda: not exists(kube, path))
        operator = start_operator("--full-look=2", "--resync=5")
        make(name="plain")
        until("it is served", lambda: kube.get(DEPLOYMENT, namespace, "plain-audit"), within=60)
        assert "is watched without RedisConnections" in operator.log.read_text()
    finally:
        metadata = {"name": definition["metadata"]["name"]}
        again = {**definition, "metadata": metadata}
        again.pop("status", None)
        kube.request("POST", DEFINITIONS, again)
        until("it is served again", lambda: is_served(kube, REDIS_CONNECTION))
    with running("redis") as server:
        kube.apply(connection(namespace, server))
        until("it is seen at last", lambda: status(kube, namespace).get("server"), within=60)


def exists(kube: Kube, path: str) -> bool:
    try:
        kube.request("GET", path)
    except AssertionError:
        return False
    return True
