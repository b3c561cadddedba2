"""Two replicas, one leader; and what a change of leader costs: nothing."""

from __future__ import annotations

import time
from typing import Any

import redis
from tests.integration.operator.conftest import StartOperator
from tests.support.kube import Kube
from tests.support.operator_process import OperatorProcess
from tests.support.waiting import until

from headrace_operator.kube.kinds import DEPLOYMENT, LEASE, STREAM_PIPELINE

LEASE_SECONDS = 8
# The last of several arguments counts: short enough to wait for, long enough for a busy machine.
QUICK_LEASE = (
    f"--lease-duration={LEASE_SECONDS}",
    "--lease-renew-deadline=6",
    "--lease-retry-period=0.5",
)


def writes(operator: OperatorProcess) -> float:
    """Requests that change something, the Lease's own left out."""
    requests = operator.samples("headrace_operator_api_requests_total")
    return sum(
        number
        for labels, number in requests
        if labels["method"] != "GET" and labels["resource"] != "leases"
    )


def deployed(kube: Kube, namespace: str, name: str) -> bool:
    return kube.get(DEPLOYMENT, namespace, f"{name}-audit") is not None


def test_the_standby_takes_over_from_a_killed_leader(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    first = start_operator(*QUICK_LEASE, lease="crash")
    until("the first leads", lambda: first.leads)
    second = start_operator(*QUICK_LEASE, lease="crash")  # ready, though it does not lead
    make(name="before")
    until("the leader works", lambda: deployed(kube, namespace, "before"))
    assert not second.leads
    assert writes(second) == 0, "a standby writes nothing"

    first.kill()
    killed = time.monotonic()
    make(name="after")
    until("the standby works", lambda: deployed(kube, namespace, "after"), within=60)
    assert time.monotonic() - killed < LEASE_SECONDS + 2 * 0.5 + 15, "two retries, and the work"
    assert second.leads


def test_a_clean_end_hands_over_at_once_and_exits_zero(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    first = start_operator(*QUICK_LEASE, lease="clean")
    until("the first leads", lambda: first.leads)
    second = start_operator(*QUICK_LEASE, lease="clean")
    assert first.stop() == 0
    stopped = time.monotonic()
    until("the second leads", lambda: second.leads)
    assert time.monotonic() - stopped < LEASE_SECONDS - 2, "it did not wait for the lease to end"


def test_a_leader_that_lost_its_lease_exits_non_zero(
    kube: Kube, start_operator: StartOperator
) -> None:
    operator = start_operator(*QUICK_LEASE, lease="stolen")
    until("it leads", lambda: operator.leads)
    until(
        "stolen",
        lambda: kube.patch(
            LEASE, "default", "stolen", {"spec": {"holderIdentity": "a-thief"}}, manager="thief"
        ),
    )
    assert operator.process.wait(15) == 1
    assert "another replica" in operator.log.read_text()


def test_an_operator_of_one_namespace_leaves_the_others_alone(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    another = kube.make_namespace("another")
    operator = start_operator(f"--namespace={another}")
    until("it leads", lambda: operator.leads)
    made = make(name="elsewhere")
    mine = {**made, "metadata": {"name": "mine", "namespace": another}}
    mine["spec"] = {**made["spec"], "stream": {"name": "mine"}}
    kube.apply(mine)
    until("its own is served", lambda: deployed(kube, another, "mine"))
    assert not deployed(kube, namespace, "elsewhere")
    kube.delete(STREAM_PIPELINE, another, "mine")
    kube.delete_namespace(another)
    operator.stop()
