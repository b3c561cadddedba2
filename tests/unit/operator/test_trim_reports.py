"""`status.trim` is what the newest trim pod said, and stays when the pod goes."""

import json
from typing import Any

import pytest
from tests.support.observations import SETTINGS, observe, pipeline

from headrace_api.v1alpha1 import Status
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


def test_what_force_destroyed_is_an_event_once_for_each_trim() -> None:
    lost = [{"group": "delays", "unread": 11_800, "pending": 200}]
    forced = {"spec.stream.trim": {"maxLength": 10, "policy": "Force"}}

    def warnings(finished: str, live: Any = None, **more: Any) -> list[tuple[str, str]]:
        there = (pod(report(12_000, **more), finished),)
        seen = observe(pipeline(forced), pods=there, live_status={"trim": live} if live else {})
        made = plan(seen, SETTINGS)
        Status.model_validate(made.status)
        return [(e.reason, e.message) for e in made.events if e.type == "Warning"]

    at = "2026-11-27T10:00:00Z"
    words = "policy Force destroyed entries of delays: 11,800 not read, 200 read and not settled"
    told = [("EntriesDestroyed", words)]
    assert warnings(at, destroyed=lost) == told
    kept = {"completedAt": at, "removed": 12_000, "length": 10, "destroyed": lost}
    assert warnings(at, kept, destroyed=lost) == []
    assert warnings("2026-11-27T10:15:00Z", kept, destroyed=lost) == told
    assert warnings("2026-11-27T10:15:00Z", kept) == []


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
