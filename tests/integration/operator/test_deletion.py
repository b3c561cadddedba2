"""What goes and what stays when a pipeline, or one of its groups, is deleted."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import redis
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group, pipeline_manifest
from tests.support.redis_servers import running
from tests.support.redis_topologies import Cluster, SentinelSet, cluster, plain, sentinel_set
from tests.support.waiting import until

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    STREAM_PIPELINE,
)

DEAD = "headrace:{flights}:dead:flights"
OURS = "app.kubernetes.io/managed-by=headrace"
GC = 60.0  # the garbage collector learns of a new kind of resource only every 30 s
FIXED = {"mode": "Fixed", "replicas": 2}


def ready(kube: Kube, namespace: str) -> bool:
    pipeline = kube.get(STREAM_PIPELINE, namespace, "flights")
    return "lag" in ((pipeline or {}).get("status") or {})


def put_data(data: redis.Redis) -> None:
    """Entries, pending ones among them, a parked one and a dead letter."""
    for number in range(5):
        data.xadd("flights", {"type": "t", "version": "1", "payload": str(number)})
    data.xreadgroup("audit", "worker-1", {"flights": ">"}, count=2)
    data.zadd("headrace:{flights}:retry:audit:flights", {"m:1-1": 1})
    data.xadd(DEAD, {"group": "audit"})


def children(kube: Kube, namespace: str) -> list[Any]:
    kinds = (DEPLOYMENT, CRON_JOB, CONFIG_MAP, SERVICE_ACCOUNT, POD)
    return [
        f"{kind.kind}/{child['metadata']['name']}"
        for kind in kinds
        for child in kube.list(kind, namespace, OURS)
    ]


def gone(kube: Kube, namespace: str) -> bool:
    return kube.get(STREAM_PIPELINE, namespace, "flights") is None and not children(kube, namespace)


def bind(kube: Kube, namespace: str, pod: str) -> None:
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "away"},
    }
    kube.request("POST", POD.path(namespace, pod, "binding"), binding)


@pytest.fixture
def audited(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    """The operator runs and Redis is empty."""


@pytest.mark.usefixtures("audited")
def test_retain_keeps_everything_in_redis_and_gives_the_claim_up(
    kube: Kube, namespace: str, data: redis.Redis, make: Any
) -> None:
    make(groups=[group("audit", scaling=FIXED)])
    until("Ready", lambda: ready(kube, namespace))
    put_data(data)
    live = kube.get(STREAM_PIPELINE, namespace, "flights")
    assert live
    assert "finalizers" not in live["metadata"]
    kube.delete(STREAM_PIPELINE, namespace, "flights")
    until("all children are gone", lambda: gone(kube, namespace), within=GC)
    assert data.xlen("flights") == 5
    (kept,) = data.xinfo_groups("flights")
    assert (kept["name"], kept["pending"]) == ("audit", 2)
    assert data.xlen(DEAD) == 1
    state = "headrace:{flights}:state:audit:flights"
    until("the claim is given up", lambda: not data.hexists(state, "owner"))
    assert data.hexists(state, "checkpoint")


@pytest.mark.usefixtures("audited")
def test_a_pipeline_made_anew_under_its_name_goes_on_with_its_groups(
    kube: Kube, namespace: str, data: redis.Redis, make: Any
) -> None:
    make()
    until("Ready", lambda: ready(kube, namespace))
    put_data(data)
    state = "headrace:{flights}:state:audit:flights"
    first = data.hget(state, "owner")
    assert first
    kube.delete(STREAM_PIPELINE, namespace, "flights")
    until("gone", lambda: gone(kube, namespace), within=GC)
    data.hset(state, "owner", first)  # the claim that no operator was there to give up
    make()
    until("Ready again", lambda: ready(kube, namespace))
    assert data.hget(state, "owner") not in (None, first)
    (kept,) = data.xinfo_groups("flights")
    assert kept["pending"] == 2


@pytest.mark.usefixtures("audited")
def test_delete_takes_the_groups_after_the_last_pod_and_never_stream_or_dead_letters(
    kube: Kube, namespace: str, data: redis.Redis, make: Any
) -> None:
    make(groups=[group("audit", scaling=FIXED)], deletionPolicy="Delete")
    until("two pods", lambda: len(kube.list(POD, namespace, OURS)) == 2)
    until("Ready", lambda: ready(kube, namespace))
    put_data(data)
    # A pod with a node ends when its kubelet says so, and this node has none. One without a node
    # is ended by the pod garbage collector.
    held = kube.list(POD, namespace, OURS)[0]["metadata"]["name"]
    bind(kube, namespace, held)
    kube.delete(STREAM_PIPELINE, namespace, "flights")
    until(
        "it says what it waits for",
        lambda: (
            f"waits for Pod/{held} to end" in str(kube.get(STREAM_PIPELINE, namespace, "flights"))
        ),
    )
    assert not kube.list(DEPLOYMENT, namespace, OURS)
    assert [g["name"] for g in data.xinfo_groups("flights")] == ["audit"], "a pod is still there"
    kube.request("DELETE", POD.path(namespace, held), {"gracePeriodSeconds": 0})
    until("gone", lambda: gone(kube, namespace), within=GC)
    assert data.xinfo_groups("flights") == []
    assert data.xlen("flights") == 5
    assert data.xlen(DEAD) == 1
    assert sorted(data.keys()) == sorted(["flights", DEAD])


@pytest.mark.timeout(150)
@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("run", [sentinel_set, cluster], ids=["Sentinel", "Cluster"])
def test_delete_takes_the_groups_of_whatever_redis_fails_over(
    kube: Kube, namespace: str, run: Callable[[], AbstractContextManager[SentinelSet | Cluster]]
) -> None:
    with run() as topology:
        redis = dict(topology.settings)
        if master := redis.pop("sentinelMaster", None):
            redis["sentinel"] = {"masterName": master}
        manifest = pipeline_manifest(namespace, "", redis=redis, deletionPolicy="Delete")
        kube.apply(manifest)
        until("Ready", lambda: ready(kube, namespace))
        data = plain(topology.primary("flights"))
        assert [found["name"] for found in data.xinfo_groups("flights")] == [b"audit"]
        kube.delete(STREAM_PIPELINE, namespace, "flights")
        until("gone", lambda: gone(kube, namespace), within=GC)
        assert data.xinfo_groups("flights") == []
        assert not data.keys("*:audit:*")


@pytest.mark.usefixtures("audited")
def test_the_finalizer_follows_the_policy(kube: Kube, namespace: str, make: Any) -> None:
    def finalizers() -> Any:
        live = kube.get(STREAM_PIPELINE, namespace, "flights")
        assert live
        return live["metadata"].get("finalizers", [])

    make(deletionPolicy="Delete")
    until("our finalizer", lambda: finalizers() == ["headrace.dev/cleanup"])
    kube.patch(
        STREAM_PIPELINE,
        namespace,
        "flights",
        {"metadata": {"finalizers": ["headrace.dev/cleanup", "acme.dev/theirs"]}},
    )
    make(deletionPolicy="Retain")
    until("theirs only", lambda: finalizers() == ["acme.dev/theirs"])


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_group_that_leaves_the_list_follows_the_policy_too(
    kube: Kube, namespace: str, data: redis.Redis, make: Any, policy: str
) -> None:
    both = [group("audit"), group("delays", scaling=FIXED)]
    make(groups=both, deletionPolicy=policy)
    until("Ready", lambda: ready(kube, namespace))
    until("its pods", lambda: len(kube.list(POD, namespace, "headrace.dev/group=delays")) == 2)
    make(groups=[group("audit")], deletionPolicy=policy)

    def left() -> set[str]:
        return {
            d["metadata"]["labels"]["headrace.dev/group"] for d in kube.list(DEPLOYMENT, namespace)
        }

    until("its Deployment is gone", lambda: left() == {"audit"}, within=40)
    groups = {found["name"] for found in data.xinfo_groups("flights")}
    live = kube.get(STREAM_PIPELINE, namespace, "flights")
    assert live
    if policy == "Delete":
        assert groups == {"audit"}
        assert not data.keys("*:delays:*")
    else:
        assert groups == {"audit", "delays"}
        until(
            "it is listed as orphaned",
            lambda: (kube.get(STREAM_PIPELINE, namespace, "flights") or {})["status"][
                "orphanedGroups"
            ],
        )


@pytest.mark.usefixtures("operator")
def test_a_deletion_uses_remembered_credentials_when_the_secret_is_gone(
    kube: Kube, namespace: str
) -> None:
    with running("redis") as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", "c4nary")
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "c4nary"}}
        kube.create(secret | {"metadata": {"name": "auth", "namespace": namespace}})
        manifest = pipeline_manifest(namespace, server.endpoint, deletionPolicy="Delete")
        manifest["spec"]["redis"]["credentialsSecretRef"] = {"name": "auth"}
        kube.apply(manifest)
        until("Ready", lambda: ready(kube, namespace))
        kube.delete(SECRET, namespace, "auth")
        kube.delete(STREAM_PIPELINE, namespace, "flights")
        until("gone", lambda: gone(kube, namespace), within=GC)
        with redis.Redis(port=server.port, password="c4nary") as client:
            assert client.xinfo_groups("flights") == []


@pytest.mark.usefixtures("operator")
def test_a_deletion_does_not_wait_for_ever_for_redis(
    kube: Kube, operator: OperatorProcess, namespace: str
) -> None:
    with running("redis") as server:
        kube.apply(pipeline_manifest(namespace, server.endpoint, deletionPolicy="Delete"))
        until("Ready", lambda: ready(kube, namespace))
        server.kill()
        before = operator.metric("headrace_operator_let_go_total", reason="RedisUnreachable")
        asked = time.monotonic()
        kube.delete(STREAM_PIPELINE, namespace, "flights")
        until("let go", lambda: gone(kube, namespace), within=40)
        assert time.monotonic() - asked >= 3, "the operator's --deletion-patience here"
        now = operator.metric("headrace_operator_let_go_total", reason="RedisUnreachable")
        assert now == before + 1
        assert "let go without cleaning Redis" in operator.log.read_text()


@pytest.mark.usefixtures("operator")
def test_patience_counts_from_when_redis_went(kube: Kube, namespace: str) -> None:
    """Workers that took longer to end leave Redis as much of it as if they had not."""
    with running("redis") as server, redis.Redis(port=server.port) as data:
        manifest = pipeline_manifest(
            namespace,
            server.endpoint,
            groups=[group("audit", scaling={"mode": "Fixed", "replicas": 1})],
            deletionPolicy="Delete",
        )
        kube.apply(manifest)
        until("Ready", lambda: ready(kube, namespace))
        (pod,) = until("a pod", lambda: kube.list(POD, namespace, OURS))
        held = pod["metadata"]["name"]
        bind(kube, namespace, held)
        kube.delete(STREAM_PIPELINE, namespace, "flights")
        asked = time.monotonic()
        until("longer than the patience", lambda: time.monotonic() > asked + 4)
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        try:
            kube.request("DELETE", POD.path(namespace, held), {"gracePeriodSeconds": 0})
            until(
                "it waits for Redis",
                lambda: (
                    "waits for Redis, to drop the consumer groups"
                    in str(kube.get(STREAM_PIPELINE, namespace, "flights"))
                ),
            )
        finally:
            server.process.send_signal(signal.SIGCONT)
        until("gone", lambda: gone(kube, namespace), within=GC)
        assert data.xinfo_groups("flights") == []


@pytest.mark.usefixtures("audited")
def test_a_namespace_with_a_pipeline_can_be_deleted(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    own = kube.make_namespace("going")
    endpoint = (make() or {})["spec"]["redis"]["endpoints"][0]
    manifest = pipeline_manifest(own, endpoint, name="leaving", deletionPolicy="Delete")
    kube.apply(manifest)
    until(
        "Ready",
        lambda: condition(kube.get(STREAM_PIPELINE, own, "leaving"), "Ready")["status"] == "True",  # type: ignore[index]
    )
    kube.delete(NAMESPACE, None, own)
    until("the namespace is gone", lambda: kube.get(NAMESPACE, None, own) is None, within=60)
    assert data.xinfo_groups("leaving") == []
