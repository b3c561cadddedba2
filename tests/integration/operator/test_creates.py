"""From a StreamPipeline to groups, children and a status."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.waiting import until

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    SERVICE_ACCOUNT,
    STREAM_PIPELINE,
)


def ready(kube: Kube, namespace: str, name: str = "flights") -> dict[str, Any] | None:
    pipeline = kube.get(STREAM_PIPELINE, namespace, name)
    found = condition(pipeline, "Ready")
    return pipeline if found and found["status"] == "True" else None


def test_a_pipeline_gets_its_groups_and_children_and_says_that_it_is_ready(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    make(
        groups=[group("delays"), group("audit", consumerGroup="Audit_Service")],
        stream={"name": "flights", "trim": {"maxLength": 1000}},
    )
    pipeline = until("Ready", lambda: ready(kube, namespace))

    groups = {found["name"] for found in data.xinfo_groups("flights")}
    assert groups == {"delays", "Audit_Service"}
    deployments = kube.list(DEPLOYMENT, namespace)
    assert [d["metadata"]["name"] for d in deployments] == ["flights-audit", "flights-delays"]
    assert {d["spec"]["replicas"] for d in deployments} == {0}
    assert {c["metadata"]["name"] for c in kube.list(CRON_JOB, namespace)} == {
        "flights-trim",
        "flights-delays-reclaim",
        "flights-audit-reclaim",
    }
    assert kube.get(SERVICE_ACCOUNT, namespace, "flights-headrace")
    uid = pipeline["metadata"]["uid"]
    for kind in (DEPLOYMENT, CRON_JOB, SERVICE_ACCOUNT, CONFIG_MAP):
        for child in kube.list(kind, namespace, "app.kubernetes.io/managed-by=headrace"):
            (owner,) = child["metadata"]["ownerReferences"]
            assert (owner["uid"], owner["controller"]) == (uid, True)
    assert pipeline["status"]["observedGeneration"] == 1

    def counts() -> Any:
        seen = kube.get(STREAM_PIPELINE, namespace, "flights")
        return seen and [seen["status"][name] for name in ("lag", "pending", "workers")]

    until("counts", lambda: counts() == [0, 0, "0/0"])


def test_the_backlog_brings_all_workers_in_one_step(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    make(groups=[group("audit", scaling={"targetBacklog": 10, "maxReplicas": 7})])
    until("Ready", lambda: ready(kube, namespace))
    pipe = data.pipeline()
    for number in range(65):
        pipe.xadd("flights", {"type": "t", "version": "1", "payload": str(number)})
    pipe.execute()

    def replicas() -> bool:
        live = kube.get(DEPLOYMENT, namespace, "flights-audit")
        assert live is not None
        assert live["spec"]["replicas"] in (0, 7)
        return bool(live["spec"]["replicas"] == 7)

    until("seven workers", replicas)
    pipeline = until(
        "the lag in the status",
        lambda: (kube.get(STREAM_PIPELINE, namespace, "flights") or {})["status"]["lag"] == 65,
    )
    assert pipeline


def test_a_change_of_the_spec_reaches_the_children(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    make()
    until("Ready", lambda: ready(kube, namespace))
    first = kube.get(DEPLOYMENT, namespace, "flights-audit")
    assert first
    changed = group("audit")
    changed["worker"] |= {"image": "acme/worker:2", "concurrency": 4}
    make(groups=[changed])

    def rolled() -> Any:
        live = kube.get(DEPLOYMENT, namespace, "flights-audit")
        assert live
        container = live["spec"]["template"]["spec"]["containers"][0]
        return container["image"] == "acme/worker:2" and live

    live = until("the new image", rolled)
    named = {
        volume["configMap"]["name"]
        for volume in live["spec"]["template"]["spec"]["volumes"]
        if "configMap" in volume
    }
    (name,) = named
    configuration = kube.get(CONFIG_MAP, namespace, name)
    assert configuration
    assert configuration["immutable"] is True
    assert json.loads(configuration["data"]["worker.json"])["concurrency"] == 4


def test_the_configuration_of_a_revision_that_can_still_be_rolled_back_to_is_kept(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    """revisionHistoryLimit is 2: the current ReplicaSet and two old ones name a ConfigMap."""

    def configurations() -> list[str]:
        found = kube.list(CONFIG_MAP, namespace, "app.kubernetes.io/managed-by=headrace")
        return [item["metadata"]["name"] for item in found]

    for concurrency in range(1, 6):
        changed = group("audit")
        changed["worker"] |= {"concurrency": concurrency}
        make(groups=[changed])

        def rolled_out(generation: int = concurrency) -> bool:
            live = kube.get(DEPLOYMENT, namespace, "flights-audit")
            assert live
            revision = live["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            return int(revision) == generation

        until(f"revision {concurrency}", rolled_out)
    until("three configurations are left", lambda: len(configurations()) == 3)


def test_kopf_leaves_no_trace_on_a_pipeline(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    make()
    until("Ready", lambda: ready(kube, namespace))
    make(suspend=True)
    until(
        "Suspended",
        lambda: (
            condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Ready")["reason"]  # type: ignore[index]
            == "Suspended"
        ),
    )
    pipeline = kube.get(STREAM_PIPELINE, namespace, "flights")
    assert pipeline
    metadata = pipeline["metadata"]
    assert metadata.get("annotations", {}) == {}
    assert metadata.get("finalizers", []) == []
    assert "kopf" not in json.dumps(pipeline)
    assert {entry["manager"] for entry in metadata["managedFields"]} == {"a-person", "headrace"}
    assert {e["manager"] for e in metadata["managedFields"] if "subresource" not in e} == {
        "a-person"
    }, "the operator writes nothing but the status"


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_group_whose_name_holds_a_colon_works_leaves_and_hinders_nobody(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any, policy: str
) -> None:
    audit, other = group("audit"), group("orders", consumerGroup="Svc:Orders")
    make(groups=[audit, other], deletionPolicy=policy)
    until("both groups", lambda: data.exists("flights") and len(data.xinfo_groups("flights")) == 2)
    for n in range(250):
        data.xadd("flights", {"n": n})
    for name in ("flights-audit", "flights-orders"):
        until(f"workers of {name}", lambda name=name: kube.replicas(namespace, name) == 3)  # type: ignore[misc]
    make(groups=[audit], deletionPolicy=policy)
    until(
        "it is gone", lambda: kube.get(DEPLOYMENT, namespace, "flights-orders") is None, within=40
    )
    left = {one["name"] for one in data.xinfo_groups("flights")}
    assert left == ({"audit"} if policy == "Delete" else {"audit", "Svc:Orders"})
    assert kube.replicas(namespace, "flights-audit") == 3
