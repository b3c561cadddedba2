"""A Redis that accepts connections and answers nothing costs no other pipeline a second."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import StartOperator
from tests.support.kube import Kube, condition
from tests.support.pipelines import group
from tests.support.redis_servers import running
from tests.support.waiting import until

from headrace_operator.kube.kinds import STREAM_PIPELINE

RECONCILERS = 2
STUCK = 6


@pytest.mark.timeout(120)
def test_an_operator_that_starts_beside_it_serves_the_others_at_once(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    with running("redis") as server:
        assert server.process
        os.kill(server.process.pid, signal.SIGSTOP)
        for number in range(STUCK):
            make(name=f"lame-{number}", endpoint=server.endpoint)
        make(name="well")
        operator = start_operator(f"--reconcilers={RECONCILERS}")
        until("it leads", lambda: operator.leads)

        def ready() -> bool:
            found = condition(kube.get(STREAM_PIPELINE, namespace, "well"), "Ready")
            return found is not None and found["status"] == "True"

        until("the other is Ready", ready)
        assert not given_up(kube, namespace), "it waited for the stuck Redis"
        data.xadd("well", {"n": 1})
        until("its worker", lambda: kube.replicas(namespace, "well-audit") == 1, within=10)
        until("the stuck ones say so", lambda: given_up(kube, namespace) == STUCK, within=60)


def given_up(kube: Kube, namespace: str) -> int:
    ready = [condition(one, "Ready") for one in kube.list(STREAM_PIPELINE, namespace)]
    return sum(one is not None and one["reason"] == "RedisUnreachable" for one in ready)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_many_deletions_on_one_delay_no_other_tenant(
    kube: Kube,
    start_operator: StartOperator,
    namespace: str,
    data: redis.Redis,
    make: Any,
    policy: str,
) -> None:
    groups = [group(name) for name in ("a", "b", "c")]
    with running("redis") as server:
        assert server.process
        operator = start_operator(f"--reconcilers={RECONCILERS}")
        until("it leads", lambda: operator.leads)
        names = [f"lame-{number}" for number in range(STUCK)]
        for name in names:
            make(name=name, endpoint=server.endpoint, groups=groups, deletionPolicy=policy)
        make(name="well")

        def ready() -> bool:
            found = [
                condition(one, "Ready") or {"status": ""}
                for one in kube.list(STREAM_PIPELINE, namespace)
            ]
            return len(found) == STUCK + 1 and all(one["status"] == "True" for one in found)

        until("all are Ready", ready, within=60)
        os.kill(server.process.pid, signal.SIGSTOP)
        for name in names:
            kube.delete(STREAM_PIPELINE, namespace, name)
        data.xadd("well", {"n": 1})
        until("its worker", lambda: kube.replicas(namespace, "well-audit") == 1, within=10)
        os.kill(server.process.pid, signal.SIGCONT)
