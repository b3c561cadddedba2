"""A restart, and every look of a quiet fleet, writes nothing at all."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import StartOperator
from tests.integration.operator.test_leader import writes
from tests.support.kube import Kube, condition, until, versions
from tests.support.operator_process import OperatorProcess

from headrace_operator.kube.kinds import STREAM_PIPELINE

FLEET = 50


@pytest.mark.timeout(240)
def test_a_restart_with_fifty_pipelines_writes_nothing(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    first = start_operator("--full-look=5")
    until("it leads", lambda: first.leads)
    began = time.monotonic()
    for number in range(FLEET):
        make(name=f"p{number}", stream={"name": f"s{number}", "trim": {"maxLength": 10}})

    def settled() -> bool:
        found = kube.list(STREAM_PIPELINE, namespace)
        ready = [condition(one, "Ready") for one in found]
        return all(
            one is not None and one["status"] == "True" and "lag" in pipeline["status"]
            for one, pipeline in zip(ready, found, strict=True)
        )

    until("all are Ready", settled, within=90)
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
