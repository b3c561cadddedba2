"""Another operator after this one, and one beside it: the fleet is neither rolled at once nor
fought over."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import StartOperator
from tests.support.kube import Kube, condition
from tests.support.pipelines import group
from tests.support.waiting import until

from headrace_operator.kube.kinds import DEPLOYMENT, STREAM_PIPELINE

FLEET = 5
NEW = "acme/worker:2"
LIMIT = ("--max-concurrent-rollouts=2", "--rollout-pause=1")
APPLIES = "headrace_operator_applies_total"


def image(live: dict[str, Any]) -> str:
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def updated(kube: Kube, namespace: str) -> list[str]:
    found = kube.list(DEPLOYMENT, namespace, "app.kubernetes.io/managed-by=headrace")
    return [live["metadata"]["name"] for live in found if image(live) == NEW]


@pytest.mark.timeout(240)
def test_a_new_default_image_waits_behind_workers_that_are_not_ready_with_it(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    """There is no node, so no worker becomes ready and the update stays with the first two."""
    fixed = group("audit", scaling={"mode": "Fixed", "replicas": 1})

    def manifest(name: str, **fields: Any) -> None:
        make(name=name, groups=[{**fixed, **fields}])

    first = start_operator()
    for number in range(FLEET):
        manifest(f"p{number}")

    def observed() -> bool:
        found = kube.list(STREAM_PIPELINE, namespace)
        return (
            all(one["status"]["observedGeneration"] == 1 for one in found)
            and len(kube.list(DEPLOYMENT, namespace)) == FLEET
        )

    until("all are made and told of", observed, within=90)
    first.stop()
    second = start_operator(f"--worker-image={NEW}", *LIMIT)
    until("two are updated", lambda: len(updated(kube, namespace)) == 2, within=60)
    until(
        "the others wait",
        lambda: second.metric("headrace_operator_rollouts", state="waiting") == FLEET - 2,
        within=60,
    )
    time.sleep(3)  # several passes
    assert len(updated(kube, namespace)) == 2
    waiting = next(
        f"p{number}"
        for number in range(FLEET)
        if f"p{number}-audit" not in updated(kube, namespace)
    )
    manifest(waiting, scaling={"mode": "Fixed", "replicas": 2})
    until(
        "a change of the spec waits for nothing",
        lambda: f"{waiting}-audit" in updated(kube, namespace),
        within=60,
    )


@pytest.mark.timeout(240)
def test_two_installations_on_the_same_pipelines_stop_answering_each_other(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    operators = [
        start_operator(f"--worker-image=acme/worker:{n}", lease=f"other-{n}-{namespace}")
        for n in range(2)
    ]
    make(groups=[group("audit", scaling={"mode": "Fixed", "replicas": 1})])

    def told() -> Any:
        found = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Conflict")
        return found if found and "another Headrace operator" in found["message"] else None

    until("one says so", told, within=60)

    def generation() -> int:
        live = kube.get(DEPLOYMENT, namespace, "flights-audit")
        assert live
        return int(live["metadata"]["generation"])

    time.sleep(5)
    before = generation()
    time.sleep(10)
    assert generation() == before, "nobody writes it any more"
    assert sum(one.metric(APPLIES, kind="Deployment") for one in operators) < 15
