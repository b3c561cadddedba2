"""An edit that does not work out stops nothing that works."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.replica_history import ReplicaHistory
from tests.support.waiting import until

from headrace_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, STREAM_PIPELINE

NAME = "flights-audit"
REFUSED = {"spec": {"tolerations": [{"key": "a", "operator": "Sometimes"}]}}
pytestmark = pytest.mark.usefixtures("operator", "data")


class World:
    """One pipeline and its only Deployment."""

    def __init__(self, kube: Kube, namespace: str, make: Any) -> None:
        self.kube = kube
        self.namespace = namespace
        self.make = make

    def ready(self) -> tuple[str, str]:
        found = condition(self.kube.get(STREAM_PIPELINE, self.namespace, "flights"), "Ready")
        return (found["status"], found["reason"]) if found else ("", "")

    def status(self) -> dict[str, Any]:
        pipeline = self.kube.get(STREAM_PIPELINE, self.namespace, "flights")
        assert pipeline is not None
        found: dict[str, Any] = pipeline.get("status") or {}
        return found

    def deployment(self) -> dict[str, Any]:
        live = self.kube.get(DEPLOYMENT, self.namespace, NAME)
        assert live is not None
        return live

    def replicas(self) -> int:
        return int(self.deployment()["spec"]["replicas"])

    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.deployment()["spec"]["template"]["metadata"]["annotations"]
        return found


@pytest.fixture
def world(kube: Kube, namespace: str, make: Any) -> World:
    return World(kube, namespace, make)


def test_a_template_that_is_refused_leaves_the_scaling_to_what_runs(
    world: World, data: redis.Redis
) -> None:
    world.make()
    until("Ready", lambda: world.ready() == ("True", "ScaledToZero"))
    world.make(groups=[group("audit", worker={"handler": "a:b", "podTemplate": REFUSED})])
    until("refused", lambda: world.ready() == ("False", "InvalidChild"))
    for _ in range(450):
        data.xadd("flights", {"type": "x"})
    until("the workers that the backlog needs", lambda: world.replicas() == 5)
    assert "tolerations" not in world.deployment()["spec"]["template"]["spec"]
    world.make(groups=[group("audit", worker={"handler": "a:b"})])
    until("accepted", lambda: world.ready()[1] != "InvalidChild")
    until("the new template", lambda: world.deployment()["metadata"]["generation"] > 2)
    assert world.replicas() == 5


def test_an_edited_group_label_is_put_right_and_no_worker_goes(
    world: World, kube: Kube, namespace: str
) -> None:
    world.make(groups=[group("audit", scaling={"mode": "Fixed", "replicas": 3})])
    until("three workers", lambda: kube.get(DEPLOYMENT, namespace, NAME) and world.replicas() == 3)
    before = world.deployment()["metadata"]["uid"]
    with ReplicaHistory(kube, namespace) as history:
        label = {"headrace.dev/group": "other"}
        kube.patch(DEPLOYMENT, namespace, NAME, {"metadata": {"labels": label}})
        until(
            "the label is put right",
            lambda: world.deployment()["metadata"]["labels"]["headrace.dev/group"] == "audit",
        )
        until("all is well", lambda: world.status()["observedGeneration"] == 1)
    assert history.numbers[NAME] == [3]
    assert world.deployment()["metadata"]["uid"] == before


def test_an_orphan_that_was_dropped_in_redis_leaves_the_status(
    world: World, data: redis.Redis
) -> None:
    world.make(groups=[group("audit"), group("old")])
    until("both groups", lambda: len(world.status().get("groups", ())) == 2)
    until(
        "old is claimed", lambda: data.exists("flights") and len(data.xinfo_groups("flights")) == 2
    )
    world.make(groups=[group("audit")])
    until("an orphan", lambda: world.status().get("orphanedGroups"), within=40)
    data.xgroup_destroy("flights", "old")
    until("none", lambda: "orphanedGroups" not in world.status(), within=40)


def test_metadata_of_a_config_map_rolls_nothing_and_its_data_does(
    world: World, kube: Kube, namespace: str
) -> None:
    code = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "code", "namespace": namespace},
        "data": {"handlers.py": "a"},
    }
    kube.create(code)
    worker = {"handler": "handlers:app", "codeConfigMapRef": {"name": "code"}}
    world.make(groups=[group("audit", worker=worker)])
    until("a Deployment", lambda: kube.get(DEPLOYMENT, namespace, NAME))
    first = world.annotations()["headrace.dev/references"]
    kube.patch(CONFIG_MAP, namespace, "code", {"metadata": {"annotations": {"checked": "1"}}})
    kube.patch(CONFIG_MAP, namespace, "code", {"data": {"handlers.py": "b"}})
    until("rolled", lambda: world.annotations()["headrace.dev/references"] != first, within=40)
    rolled = world.deployment()["metadata"]["generation"]
    second = world.annotations()["headrace.dev/references"]
    kube.patch(CONFIG_MAP, namespace, "code", {"metadata": {"annotations": {"checked": "2"}}})
    kube.patch(CONFIG_MAP, namespace, "code", {"data": {"handlers.py": "a"}})
    until("rolled back", lambda: world.annotations()["headrace.dev/references"] == first, within=40)
    assert world.deployment()["metadata"]["generation"] == rolled + 1
    assert second != first


def test_workers_that_do_not_come_up_are_told(
    world: World, kube: Kube, operator: OperatorProcess, data: redis.Redis
) -> None:
    """A quota of no pods at all: the ReplicaSet's own words."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": world.namespace},
        "spec": {"hard": {"pods": "0"}},
    }
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    kube.request("POST", path, quota)
    world.make()
    until("Ready", lambda: world.ready() == ("True", "ScaledToZero"))
    data.xadd("flights", {"type": "x"})
    until("told", lambda: world.ready() == ("False", "WorkersNotReady"), within=60)
    found = condition({"status": world.status()}, "Ready")
    assert found is not None
    assert "exceeded quota" in found["message"]
