"""A reading may be old when workers are about to end: Redis is asked once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis
from tests.integration.operator.conftest import CALM_LEASE
from tests.support.broken_package import Edit, write_broken
from tests.support.kube import Kube
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.replica_history import ReplicaHistory
from tests.support.waiting import until

import headrace_operator

READS_SELDOM = Edit("backlog/poller.py", "interval: float = 1.0", "interval: float = 8.0")
"""What may happen within one second now has eight."""


@pytest.mark.timeout(180)
def test_entries_that_came_after_the_reading_keep_their_workers(
    kube: Kube, namespace: str, make: Any, data: redis.Redis, tmp_path: Path
) -> None:
    write_broken(Path(headrace_operator.__path__[0]), [READS_SELDOM], tmp_path)
    log = tmp_path / "operator.log"
    operator = OperatorProcess(kube.kubeconfig, log, *CALM_LEASE, package=tmp_path).wait_ready()

    def ready() -> float:
        return operator.metric("headrace_stream_group_ready", namespace=namespace)

    def push() -> None:
        with data.pipeline(transaction=False) as pipe:
            for n in range(250):
                pipe.xadd("flights", {"n": n})
            pipe.execute()

    try:
        with ReplicaHistory(kube, namespace) as history:
            seen = history.numbers
            make(groups=[group("audit", scaling={"scaleDownAfter": "12s"})])
            until("the group is there", lambda: data.exists("flights"))
            push()
            until("3 workers", lambda: seen["flights-audit"] == [0, 3])
            data.xgroup_setid("flights", "audit", "$")
            # Four seconds before these workers may end, and eight before the next reading.
            until("nothing is ready", lambda: ready() == 0)
            push()
            assert seen["flights-audit"] == [0, 3], "too late to show anything"
            until("the entries are seen", lambda: ready() == 250)
            until("workers for them", lambda: seen["flights-audit"][-1] == 3)
        assert seen["flights-audit"] == [0, 3]
    finally:
        operator.stop()
