"""Somebody deletes the definition of StreamPipelines, and makes it anew."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import CRD_PATH, DEFINITIONS, StartOperator, is_served
from tests.support.kube import Kube, Refused, condition
from tests.support.waiting import until

from headrace_operator.kube.kinds import STREAM_PIPELINE

UNWATCHED = "headrace_operator_unwatched_namespaces"


@pytest.mark.timeout(180)
def test_the_operator_goes_on_and_serves_what_comes_next(
    kube: Kube, start_operator: StartOperator, namespace: str, make: Any, data: redis.Redis
) -> None:
    def is_ready(name: str) -> bool:
        found = condition(kube.get(STREAM_PIPELINE, namespace, name), "Ready")
        return found is not None and found["status"] == "True"

    operator = start_operator("--full-look=2", "--resync=5")
    make(name="first")
    until("first is Ready", lambda: is_ready("first"), within=60)
    definition = kube.request("GET", CRD_PATH)
    kube.request("DELETE", CRD_PATH)
    try:
        until("the definition is gone", lambda: not exists(kube), within=60)
        until("it is missed", lambda: operator.metric(UNWATCHED) == 1, within=60)
    finally:
        again = {**definition, "metadata": {"name": definition["metadata"]["name"]}}
        again.pop("status", None)
        kube.request("POST", DEFINITIONS, again)
        until("it is served again", lambda: is_served(kube, STREAM_PIPELINE), within=60)
    make(name="second")
    until("second is Ready", lambda: is_ready("second"), within=60)
    assert not operator.has_ended


def exists(kube: Kube) -> bool:
    try:
        kube.request("GET", CRD_PATH)
    except Refused:
        return False
    return True
