"""What is not ours is never touched, and two pipelines never fight over a name."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group, pipeline_manifest
from tests.support.redis_servers import RedisServer
from tests.support.replica_history import ReplicaHistory
from tests.support.waiting import until

from headrace.streams.keys import StreamKeys
from headrace_api import names
from headrace_api.v1alpha1 import StreamPipeline
from headrace_api.worker_config import WorkerConfig
from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    SERVICE_ACCOUNT,
    STREAM_PIPELINE,
    Kind,
)

CONTAINER: dict[str, Any] = {"name": "app", "image": "acme/app:1"}
LABELS = {"app": "acme"}
POD: dict[str, Any] = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}


def strangers(kind: Kind, namespace: str, name: str) -> dict[str, Any]:
    bodies: dict[str, dict[str, Any]] = {
        "Deployment": {
            "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": POD}
        },
        "ConfigMap": {"data": {"theirs": "yes"}},
        "ServiceAccount": {},
        "CronJob": {
            "spec": {
                "schedule": "0 0 1 1 *",
                "jobTemplate": {
                    "spec": {
                        "template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
                    }
                },
            }
        },
    }
    metadata = {"name": name, "namespace": namespace, "labels": dict(LABELS)}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata} | bodies[
        kind.kind
    ]


def wanted_name(kind: Kind, namespace: str, endpoint: str) -> str:
    manifest = pipeline_manifest(namespace, endpoint)
    pipeline = StreamPipeline.model_validate(manifest)
    content_hash = WorkerConfig.from_pipeline(pipeline, pipeline.spec.groups[0]).content_hash()
    return {
        "Deployment": names.deployment_name(namespace, "flights", "audit"),
        "ServiceAccount": names.service_account_name("flights"),
        "CronJob": names.reclaim_name(namespace, "flights", "audit"),
        # Content holds the owner's uid, which cannot be known: what remains is the name's shape.
        "ConfigMap": names.config_map_name("flights", "audit", content_hash),
    }[kind.kind]


def spec_of(live: dict[str, Any]) -> Any:
    return {name: live.get(name) for name in ("spec", "data", "secrets")}


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE_ACCOUNT, CRON_JOB], ids=lambda k: k.kind)
@pytest.mark.parametrize("labelled", [False, True], ids=["plain", "with our label"])
def test_a_users_object_of_a_wanted_name_survives_apply_and_deletion(
    kube: Kube,
    operator: OperatorProcess,
    namespace: str,
    broker: RedisServer,
    data: redis.Redis,
    make: Any,
    kind: Kind,
    labelled: bool,
) -> None:
    name = wanted_name(kind, namespace, broker.endpoint)
    theirs = strangers(kind, namespace, name)
    if labelled:  # so that our watch sees it, as a copied manifest would be
        theirs["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "headrace"
    before = kube.create(theirs)
    make()

    def stalled() -> Any:
        found = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Stalled")
        return found and found["reason"] == "NameConflict" and found

    found = until("NameConflict", stalled)
    assert f"{kind.kind} {name}" in found["message"]
    assert "left alone" in found["message"]

    kube.delete(STREAM_PIPELINE, namespace, "flights")

    def collected() -> bool:
        ours = kube.list(CONFIG_MAP, namespace, "headrace.dev/pipeline=flights")
        return kube.get(STREAM_PIPELINE, namespace, "flights") is None and not ours

    until("the garbage collector took ours", collected, within=60)
    after = kube.get(kind, namespace, name)
    assert after, "the user's object is gone"
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert "ownerReferences" not in after["metadata"]
    assert spec_of(after) == spec_of(before)
    managers = {entry["manager"] for entry in after["metadata"]["managedFields"]}
    assert not managers & {"headrace", "headrace-handover"}


def test_a_users_config_map_of_a_wanted_name_is_left_alone(
    kube: Kube,
    operator: OperatorProcess,
    namespace: str,
    data: redis.Redis,
    make: Any,
) -> None:
    """Its name can only be known afterwards: take the pipeline's away and put a stranger there."""
    make()
    ours = until(
        "our ConfigMap", lambda: kube.list(CONFIG_MAP, namespace, "headrace.dev/pipeline=flights")
    )[0]["metadata"]
    # One patch turns it into somebody else's: without owner and label, ours to lose.
    theirs = {"ownerReferences": None, "labels": None}
    kube.patch(CONFIG_MAP, namespace, ours["name"], {"metadata": theirs})

    def stalled() -> Any:
        found = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Stalled")
        return found and found["reason"] == "NameConflict" and ours["name"] in found["message"]

    until("NameConflict", stalled)
    kube.delete(STREAM_PIPELINE, namespace, "flights")
    until("children collected", lambda: not kube.list(DEPLOYMENT, namespace), within=60)
    after = kube.get(CONFIG_MAP, namespace, ours["name"])
    assert after
    assert "ownerReferences" not in after["metadata"]


def test_pipelines_whose_names_join_to_the_same_do_not_fight(
    kube: Kube,
    operator: OperatorProcess,
    namespace: str,
    data: redis.Redis,
    make: Any,
) -> None:
    first = make(name="a", groups=[group("b-c")])
    second = make(name="a-b", groups=[group("c")])

    def ready() -> bool:
        found = [
            condition(kube.get(STREAM_PIPELINE, namespace, name), "Ready") for name in ("a", "a-b")
        ]
        return all(one is not None and one["status"] == "True" for one in found)

    until("both are Ready", ready)
    owners = {
        d["metadata"]["name"]: d["metadata"]["ownerReferences"][0]["uid"]
        for d in kube.list(DEPLOYMENT, namespace)
    }
    assert sorted(owners.values()) == sorted([first["metadata"]["uid"], second["metadata"]["uid"]])
    kube.delete(STREAM_PIPELINE, namespace, "a")
    until(
        "the Deployment of a is gone",
        lambda: len(kube.list(DEPLOYMENT, namespace)) == 1,
        within=60,
    )
    (left,) = kube.list(DEPLOYMENT, namespace)
    assert left["metadata"]["ownerReferences"][0]["uid"] == second["metadata"]["uid"]


def test_two_pipelines_on_one_consumer_group_one_owner(
    kube: Kube,
    operator: OperatorProcess,
    namespace: str,
    data: redis.Redis,
    make: Any,
) -> None:
    make(name="first", stream={"name": "orders"})
    until(
        "first is Ready",
        lambda: (
            condition(kube.get(STREAM_PIPELINE, namespace, "first"), "Ready")["status"]  # type: ignore[index]
            == "True"
        ),
    )
    make(name="second", stream={"name": "orders"})

    def conflict() -> Any:
        found = condition(kube.get(STREAM_PIPELINE, namespace, "second"), "Stalled")
        return found and found["reason"] == "GroupConflict" and found

    found = until("GroupConflict", conflict)
    assert f"{namespace}/first" in found["message"]
    assert kube.get(DEPLOYMENT, namespace, "second-audit") is None or (
        kube.get(DEPLOYMENT, namespace, "second-audit")["spec"]["replicas"] == 0  # type: ignore[index]
    )
    kube.delete(STREAM_PIPELINE, namespace, "first")
    until(
        "second takes over when first is gone",
        lambda: (
            condition(kube.get(STREAM_PIPELINE, namespace, "second"), "Ready")["status"]  # type: ignore[index]
            == "True"
        ),
        within=40,
    )


def test_a_pipeline_that_moves_to_another_database_respects_the_claims_there(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    def is_ready(name: str) -> bool:
        found = condition(kube.get(STREAM_PIPELINE, namespace, name), "Ready")
        return found is not None and found["status"] == "True"

    made = make(name="first", stream={"name": "orders"})
    elsewhere = {"redis": {**made["spec"]["redis"], "database": 1}}
    make(name="second", stream={"name": "orders"}, **elsewhere)
    for name in ("first", "second"):
        until(f"{name} is Ready", lambda name=name: is_ready(name))  # type: ignore[misc]
    state = StreamKeys("orders").for_group("audit").state
    owner = data.hget(state, "owner")
    for n in range(250):
        data.xadd("orders", {"n": n})
    until("first has workers", lambda: kube.replicas(namespace, "first-audit") == 3)
    with ReplicaHistory(kube, namespace) as history:
        make(name="second", stream={"name": "orders"})
        until(
            "GroupConflict",
            lambda: "GroupConflict" in str(kube.get(STREAM_PIPELINE, namespace, "second")),
        )
    assert history.numbers["second-audit"] == [0], "not for a moment"
    assert data.hget(state, "owner") == owner
    assert is_ready("first")
