"""What the API server and the way to it may do to a request changes nothing in the end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import CALM_LEASE
from tests.support.faulty_api import (
    CONFLICT,
    DROPPED,
    EXPIRED,
    INTERNAL,
    LOST_ANSWER,
    TOO_MANY,
    UNAVAILABLE,
    Fate,
    Fault,
    FaultyApi,
)
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.replica_history import ReplicaHistory
from tests.support.waiting import until

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    SERVICE_ACCOUNT,
    STREAM_PIPELINE,
)

LEASES = "/leases"
TRIM = {"name": "flights", "trim": {"maxLength": 100}}


@pytest.fixture
def api(kube: Kube, tmp_path: Path) -> Iterator[FaultyApi]:
    with FaultyApi(kube.kubeconfig, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def behind(api: FaultyApi, tmp_path: Path, data: redis.Redis) -> Iterator[OperatorProcess]:
    """An operator that sees the API server through the proxy only, and leads."""
    process = OperatorProcess(
        api.kubeconfig, tmp_path / "operator.log", "--full-look=2", *CALM_LEASE
    )
    try:
        process.wait_ready()
        until("it leads", lambda: process.leads)
        yield process
    finally:
        process.stop()


def now_and_then(fault: Fault) -> Fate:
    """Every third write and every ninth look; watches and the Lease's requests pass."""
    writes, looks = itertools.count(1), itertools.count(1)

    def fate(method: str, path: str) -> Fault | None:
        if "watch=" in path or LEASES in path:
            return None
        struck = next(looks) % 9 == 0 if method == "GET" else next(writes) % 3 == 0
        return fault if struck else None

    return fate


def fixed(replicas: int) -> list[dict[str, Any]]:
    return [group("audit", scaling={"mode": "Fixed", "replicas": replicas})]


def carried_out(kube: Kube, namespace: str, replicas: int) -> bool:
    live = kube.get(DEPLOYMENT, namespace, "flights-audit")
    pipeline = kube.get(STREAM_PIPELINE, namespace, "flights")
    assert live
    assert pipeline
    seen = pipeline["status"]["observedGeneration"] == pipeline["metadata"]["generation"]
    return seen and live["spec"]["replicas"] == replicas


def children(kube: Kube, namespace: str) -> list[int]:
    ours = "app.kubernetes.io/managed-by=headrace"
    kinds = (SERVICE_ACCOUNT, CONFIG_MAP, DEPLOYMENT, CRON_JOB)
    return [len(kube.list(kind, namespace, ours)) for kind in kinds]


@pytest.mark.parametrize(
    "fault",
    [TOO_MANY, CONFLICT, INTERNAL, UNAVAILABLE, LOST_ANSWER, DROPPED],
    ids=lambda fault: fault.name,
)
def test_the_end_and_the_way_there_are_the_same_with_every_third_write_struck(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, make: Any, fault: Fault
) -> None:
    api.fate = now_and_then(fault)
    with ReplicaHistory(kube, namespace) as history:
        make(groups=fixed(2), stream=TRIM)
        until("2 workers", lambda: carried_out(kube, namespace, 2), within=60)
        make(groups=fixed(3), stream=TRIM)
        until("3 workers", lambda: carried_out(kube, namespace, 3), within=60)
        until("all children", lambda: children(kube, namespace) == [1, 1, 1, 2], within=60)
    assert api.struck > 3
    assert history.numbers["flights-audit"] in ([0, 2, 3], [2, 3])
    assert behind.process.poll() is None
    assert "Traceback" not in behind.log.read_text()


def test_the_status_of_a_new_spec_comes_after_a_child_that_was_seen_too_early(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, make: Any
) -> None:
    make(groups=fixed(2))
    until("2 workers", lambda: carried_out(kube, namespace, 2), within=60)
    numbers = itertools.count()

    def fate(method: str, path: str) -> Fault | None:
        applies = method == "PATCH" and "/deployments/" in path
        return CONFLICT if applies and next(numbers) < 2 else None

    api.fate = fate
    wanted = make(groups=fixed(3))["metadata"]["generation"]

    def observed() -> bool:
        pipeline = kube.get(STREAM_PIPELINE, namespace, "flights")
        assert pipeline
        return bool(pipeline["status"]["observedGeneration"] == wanted)

    until("the status is of the new spec", observed, within=60)
    assert carried_out(kube, namespace, 3)
    assert api.struck == 2


def test_an_expired_watch_is_begun_again_and_misses_nothing(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, make: Any
) -> None:
    api.fate = lambda _method, path: EXPIRED if "watch=" in path else None
    api.cut()
    until("every watch has met a 410", lambda: api.struck >= 8, within=30)
    make(groups=fixed(2))
    api.fate = lambda _method, _path: None
    until("2 workers", lambda: carried_out(kube, namespace, 2), within=60)
    kube.patch(DEPLOYMENT, namespace, "flights-audit", {"spec": {"replicas": 7}})
    until("put right", lambda: carried_out(kube, namespace, 2), within=60)


def test_a_list_of_the_watches_that_is_refused_is_told_without_a_trace(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, make: Any
) -> None:
    """Also at the start: kopf lists for itself while the operator leads already."""

    def fate(_method: str, path: str) -> Fault | None:
        if "watch=" in path:
            return EXPIRED
        return CONFLICT if "limit=" in path else None

    api.fate = fate
    api.cut()
    until("the watches end", lambda: "the watches of all namespaces" in behind.log.read_text())
    api.fate = lambda _method, _path: None
    make(groups=fixed(2))
    until("2 workers", lambda: carried_out(kube, namespace, 2), within=60)
    assert "clients.errors" not in behind.log.read_text(), "the last line of such a trace"


def test_answers_about_the_lease_that_are_lost_depose_nobody(
    api: FaultyApi, behind: OperatorProcess
) -> None:
    numbers = itertools.count(1)
    api.fate = lambda _method, path: LOST_ANSWER if LEASES in path and next(numbers) % 2 else None
    began = time.monotonic()
    until("8 requests were struck", lambda: api.struck >= 8, within=60)
    assert time.monotonic() - began > 5, "over several renewals"
    assert behind.leads


def test_an_api_server_that_restarts_interrupts_the_work_and_nothing_more(
    kube: Kube, api: FaultyApi, behind: OperatorProcess, namespace: str, make: Any
) -> None:
    make(groups=fixed(2))
    until("2 workers", lambda: carried_out(kube, namespace, 2), within=60)
    api.fate = lambda _method, _path: DROPPED
    api.cut()
    make(groups=fixed(3))
    until("the operator has noticed", lambda: api.struck > 5)
    api.fate = lambda _method, _path: None
    until("3 workers", lambda: carried_out(kube, namespace, 3), within=60)
    found = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Ready")
    assert found
    assert behind.leads, "the same process: an outage shorter than its Lease ends nothing"
