"""`status.trim` is what the newest trim pod said, and stays when the pod goes."""

import json
from typing import Any

import pytest
from tests.support.observations import SETTINGS, observe, pipeline

from headrace_operator.plan import plan

TRIMMED = {"spec.stream.trim": {"maxLength": 10}}


def pod(message: str, finished: str = "2026-11-27T10:00:00Z", job: str = "trim") -> dict[str, Any]:
    ended = {"exitCode": 0, "finishedAt": finished, "message": message}
    return {
        "metadata": {"name": f"p-{finished}", "labels": {"headrace.dev/job": job}},
        "status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": ended}}]},
    }


def trim_of(*pods: dict[str, Any], live: Any = None, changes: Any = TRIMMED) -> Any:
    seen = observe(pipeline(changes), pods=pods, live_status={"trim": live} if live else {})
    return plan(seen, SETTINGS).status.get("trim")


def report(removed: int, **more: Any) -> str:
    return json.dumps({"removed": removed, "length": 10, **more})


def test_the_newest_pod_counts() -> None:
    newer = pod(report(2, heldBackBy="audit", consumer="w"), "2026-11-27T10:05:00Z")
    assert trim_of(pod(report(1)), newer) == {
        "completedAt": "2026-11-27T10:05:00Z",
        "removed": 2,
        "length": 10,
        "heldBackBy": "audit",
        "consumer": "w",
    }


def test_it_stays_when_the_pod_has_gone_and_when_the_next_one_failed() -> None:
    live = {"completedAt": "2026-11-27T09:00:00Z", "removed": 7, "length": 10}
    assert trim_of(live=live) == live
    assert trim_of(pod("Traceback ...", "2026-11-27T11:00:00Z"), live=live) == live


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "null",
        report(-1),
        report(2**60),
        report(1, consumer="x" * 2000),
        '{"removed": "a"}',
    ],
)
def test_what_is_no_report_is_passed_over(message: str) -> None:
    assert trim_of(pod(message)) is None


def test_pods_of_other_jobs_and_pipelines_that_do_not_trim_say_nothing() -> None:
    assert trim_of(pod(report(1), job="reclaim")) is None
    assert trim_of(pod(report(1)), changes={}) is None
