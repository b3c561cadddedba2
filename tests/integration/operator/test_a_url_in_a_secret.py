"""A Secret that holds a whole URL says where Redis is, and may say otherwise later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group, pipeline_manifest
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import until

from headrace_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, EVENT, SECRET, STREAM_PIPELINE

CANARY = "c4nary-s3cret"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running("redis") as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", CANARY)
        yield server


@pytest.fixture
def elsewhere() -> Iterator[RedisServer]:
    with running("redis") as server:
        yield server


def url_of(server: RedisServer, password: str = CANARY) -> str:
    return f"redis://:{password}@{server.endpoint}/2"


def secret(namespace: str, url: str) -> dict[str, Any]:
    metadata = {"name": "managed", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"uri": url}}


def write(kube: Kube, namespace: str, url: str) -> None:
    kube.patch(SECRET, namespace, "managed", {"stringData": {"uri": url}})


def pipeline(namespace: str) -> dict[str, Any]:
    workers = group("audit", scaling={"mode": "Fixed", "replicas": 1})
    manifest = pipeline_manifest(namespace, "", groups=[workers])
    manifest["spec"]["redis"] = {"credentialsSecretRef": {"name": "managed", "urlKey": "uri"}}
    return manifest


def ready(kube: Kube, namespace: str) -> dict[str, Any]:
    return condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Ready") or {}


def claimed(server: RedisServer, password: str | None) -> bool:
    with redis.Redis(port=server.port, db=2, password=password) as client:
        return any(b"flights" in key for key in client.scan_iter())


def config(kube: Kube, namespace: str) -> dict[str, Any]:
    """What workers are told, by the Deployment's own configuration."""
    live = kube.get(DEPLOYMENT, namespace, "flights-audit")
    assert live is not None
    volumes = live["spec"]["template"]["spec"]["volumes"]
    (name,) = (one["configMap"]["name"] for one in volumes if "configMap" in one)
    found = kube.get(CONFIG_MAP, namespace, name)
    assert found is not None
    told: dict[str, Any] = json.loads(found["data"]["worker.json"])
    return told


def test_a_pipeline_goes_where_the_url_says_and_follows_it(
    kube: Kube,
    namespace: str,
    operator: OperatorProcess,
    server: RedisServer,
    elsewhere: RedisServer,
) -> None:
    kube.apply(pipeline(namespace))
    until("the Secret is missed", lambda: ready(kube, namespace).get("reason") == "SecretNotFound")
    assert kube.get(DEPLOYMENT, namespace, "flights-audit") is None

    kube.create(secret(namespace, f"http://:{CANARY}@{server.endpoint}"))
    found = until(
        "the URL is refused",
        lambda: (seen := ready(kube, namespace)).get("reason") == "RedisUrlInvalid" and seen,
    )
    assert found["message"].startswith("Secret managed, key uri: the Redis URL has no redis://")

    write(kube, namespace, url_of(server))
    until("the group is claimed there", lambda: claimed(server, CANARY), within=40)
    told = until("workers", lambda: config(kube, namespace))["redis"]
    assert (told["endpoints"], told["database"]) == ([server.endpoint], 2)
    pods = kube.get(DEPLOYMENT, namespace, "flights-audit")["spec"]["template"]

    # A new password is no new place: nothing is rolled.
    with redis.Redis(port=server.port, password=CANARY) as admin:
        admin.config_set("requirepass", f"{CANARY}-2")
        admin.client_kill_filter(_type="normal", skipme=True)
        until(
            "the old one is refused",
            lambda: ready(kube, namespace).get("reason") == "RedisRefused",
            within=40,
        )
        write(kube, namespace, url_of(server, f"{CANARY}-2"))
        until(
            "the new one is used",
            lambda: (
                ready(kube, namespace).get("reason") not in ("RedisRefused", "RedisUnreachable")
            ),
            within=40,
        )
        assert kube.get(DEPLOYMENT, namespace, "flights-audit")["spec"]["template"] == pods

    # A URL that is broken later moves nobody, and says so.
    write(kube, namespace, "redis:/oops")
    until("it is told", lambda: ready(kube, namespace).get("reason") == "RedisUrlInvalid")
    assert kube.get(DEPLOYMENT, namespace, "flights-audit")["spec"]["template"] == pods

    write(kube, namespace, f"redis://{elsewhere.endpoint}/2")
    until("the group is claimed elsewhere", lambda: claimed(elsewhere, None), within=40)
    until(
        "workers are sent there",
        lambda: config(kube, namespace)["redis"]["endpoints"] == [elsewhere.endpoint],
    )

    everything = [
        operator.log.read_text(),
        json.dumps(kube.list(STREAM_PIPELINE, namespace)),
        json.dumps(kube.list(CONFIG_MAP, namespace)),
        json.dumps(kube.list(DEPLOYMENT, namespace)),
        json.dumps(kube.list(EVENT, namespace)),
        operator.metrics_page(),
    ]
    assert not any(CANARY in text for text in everything)


def test_after_a_restart_a_broken_url_leaves_what_runs_alone(
    kube: Kube, namespace: str, server: RedisServer, start_operator: Any
) -> None:
    first = start_operator("--full-look=2")
    kube.create(secret(namespace, url_of(server)))
    kube.apply(pipeline(namespace))
    until("the group is claimed", lambda: claimed(server, CANARY), within=40)

    def worker() -> Any:
        found = kube.get(DEPLOYMENT, namespace, "flights-audit")
        return found if found and found["spec"]["replicas"] == 1 else None

    before = until("a worker", worker)
    first.stop()
    write(kube, namespace, "")
    start_operator("--full-look=2")
    until(
        "it is told",
        lambda: ready(kube, namespace).get("reason") == "RedisUrlInvalid",
        within=90,
    )
    after = kube.get(DEPLOYMENT, namespace, "flights-audit")
    assert after["spec"] == before["spec"]
    write(kube, namespace, url_of(server))
    until(
        "it goes on", lambda: ready(kube, namespace).get("reason") != "RedisUrlInvalid", within=40
    )
