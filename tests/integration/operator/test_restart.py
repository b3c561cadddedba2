"""A restart, and every look of a quiet fleet, writes nothing at all."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import StartOperator
from tests.integration.operator.test_leader import writes
from tests.support.kube import Kube, condition, versions
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import LEAP_DAY, group
from tests.support.waiting import until

from headrace_operator.kube.kinds import CRON_JOB, DEPLOYMENT, STREAM_PIPELINE

FLEET = 50


@pytest.mark.timeout(500)
def test_a_restart_with_fifty_pipelines_writes_nothing(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    first = start_operator("--full-look=5")
    until("it leads", lambda: first.leads)
    began = time.monotonic()
    for number in range(FLEET):
        make(
            name=f"p{number}",
            stream={"name": f"s{number}", "trim": {"maxLength": 10, "schedule": LEAP_DAY}},
            groups=[group("audit", reclaim={"schedule": LEAP_DAY})],
        )

    def settled() -> bool:
        found = kube.list(STREAM_PIPELINE, namespace)
        ready = [condition(one, "Ready") for one in found]
        return all(
            one is not None and one["status"] == "True" and "lag" in pipeline["status"]
            for one, pipeline in zip(ready, found, strict=True)
        )

    until("all are Ready", settled, within=200)  # the machine decides
    print(f"{FLEET} pipelines were Ready {time.monotonic() - began:.1f} s after the first")
    quiet(first)
    assert first.stop() == 0
    before = versions(kube, namespace)

    second = start_operator("--full-look=5")
    until("it leads", lambda: second.leads)
    until("all are looked at twice", lambda: looks(second) >= 2 * FLEET, within=60)
    assert writes(second) == 0
    assert versions(kube, namespace) == before


def looks(operator: OperatorProcess) -> float:
    return operator.metric("headrace_operator_reconciles_total", result="ok")


def quiet(operator: OperatorProcess) -> None:
    """Wait until every pipeline was looked at once more without a write."""
    state = {"writes": -1.0, "looks": 0.0}

    def unchanged() -> bool:
        now = writes(operator)
        if now != state["writes"]:
            state.update(writes=now, looks=looks(operator))
        return looks(operator) >= state["looks"] + 2 * FLEET

    until("quiet", unchanged, within=90)


def test_what_lost_its_label_and_its_place_in_the_spec_meanwhile_goes(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    audit, old = group("audit"), group("old", scaling={"mode": "Fixed", "replicas": 2})
    trimmed = {"name": "flights", "trim": {"maxLength": 10}}
    children = [(DEPLOYMENT, "flights-old"), (CRON_JOB, "flights-trim")]

    def left() -> list[str]:
        return [name for kind, name in children if kube.get(kind, namespace, name)]

    first = start_operator()
    make(groups=[audit, old], stream=trimmed)
    until("both are there", lambda: len(left()) == 2)
    until("the status knows them", lambda: "lag" in status(kube, namespace))
    first.stop()
    for kind, name in children:
        labels = {"app.kubernetes.io/managed-by": "Helm"}
        kube.patch(kind, namespace, name, {"metadata": {"labels": labels}})
    make(groups=[audit])
    start_operator()
    until("both are gone", lambda: left() == [], within=40)


def status(kube: Kube, namespace: str) -> dict[str, Any]:
    return (kube.get(STREAM_PIPELINE, namespace, "flights") or {}).get("status") or {}
