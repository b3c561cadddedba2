"""`kubectl headrace status` answers whether a pipeline is healthy, and if not, why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.docs.pages import ROOT

from headrace.kubectl.rates import Rates
from headrace.kubectl.screen import fleet, fleet_rates, one_pipeline

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def ago(**since: float) -> str:
    return (NOW - timedelta(**since)).isoformat()


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(hours=3),
    }


def pipeline(name: str = "flights", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "airport", "generation": 2, "uid": f"uid-{name}"},
        "spec": {
            "redis": {"endpoints": ["redis:6379"]},
            "stream": {"name": "flights"},
            "groups": [{"name": "audit"}, {"name": "delays"}],
        },
        "status": {"observedGeneration": 2, **status},
    }


READY = condition("Ready", "True", "Available", "All groups follow their backlog.")
HEALTHY = pipeline(
    conditions=[
        READY,
        condition("ScalingActive", "True", "FollowingBacklog"),
        condition("BacklogKnown", "True", "Exact"),
        condition("TrimHeldBack", "False", "Available"),
    ],
    stream={"length": 240, "entriesAdded": 1000, "bytes": 52_800},
    workers="1/1",
    lag=40,
    pending=5,
    deadLetters=1,
    groups=[
        {
            "name": "audit",
            "readyReplicas": 1,
            "desiredReplicas": 1,
            "lag": 40,
            "pending": 5,
            "parked": 0,
            "oldestAgeSeconds": 37,
        },
        {"name": "delays"},
    ],
)


def shown(subject: dict[str, Any], pods: Any = (), events: Any = ()) -> list[str]:
    return list(one_pipeline(subject, pods, events, NOW.timestamp()))


def test_a_healthy_one_takes_six_lines_as_the_page_shows() -> None:
    lines = [
        "flights in airport: ready, Available",
        "  All groups follow their backlog.",
        "stream flights at redis:6379, 240 entries, 51.6 KiB, 1 dead letter",
        "GROUP   WORKERS  LAG  PENDING  PARKED  OLDEST",
        "audit   1/1       40        5       0     37s",
        "delays  0/?        ?        ?       ?",
    ]
    assert shown(HEALTHY) == lines
    assert "\n".join(lines) in (ROOT / "docs/kubectl-plugin.md").read_text("utf-8")


def test_memory_that_fills_is_told() -> None:
    filling = pipeline(conditions=[READY], stream={"length": 240, "memoryFullIn": "31h"})
    lines = list(one_pipeline(filling, [], [], NOW.timestamp()))
    assert "  At the rate of the last hour, Redis's memory is full in 31h." in lines


def test_one_that_is_not_ready_says_why_and_what_else_is_wrong() -> None:
    message = "Redis at redis:6379 does not answer: Connection refused. " + "x" * 60
    lines = shown(
        pipeline(
            conditions=[
                condition("Ready", "False", "RedisUnreachable", message),
                condition("BacklogKnown", "Unknown", "BacklogUnknown", "Nobody knows."),
                condition("TrimHeldBack", "True", "HeldBackByGroup", "Group audit is behind."),
            ]
        )
    )
    assert lines[0] == "flights in airport: not ready, RedisUnreachable"
    assert "BacklogKnown is Unknown for 3h: BacklogUnknown" in lines
    assert "  Nobody knows." in lines
    assert "TrimHeldBack is True for 3h: HeldBackByGroup" in lines
    assert max(map(len, lines)) <= 80


def test_no_status_and_an_old_one_are_not_taken_for_health() -> None:
    assert "the operator has not looked at it yet" in shown(pipeline())[0]
    old = pipeline(conditions=[READY], observedGeneration=1)
    assert any("has not acted on the newest spec" in line for line in shown(old))


def test_what_the_spec_asks_for_is_no_trouble() -> None:
    stopped = pipeline(
        conditions=[
            condition("Ready", "True", "Suspended", "suspended"),
            condition("ScalingActive", "False", "Suspended", "delays: suspended"),
        ]
    )
    assert not any("ScalingActive" in line for line in shown(stopped))


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def test_pods_that_do_not_work_say_why() -> None:
    crashing = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 2}},
        "restartCount": 5,
    }
    lines = shown(
        HEALTHY,
        pods=[
            pod("a", containerStatuses=[crashing]),
            pod("b", containerStatuses=[{"state": {"waiting": {"reason": "ContainerCreating"}}}]),
            pod("c", containerStatuses=[{"state": {"running": {}}}]),
            pod("d", containerStatuses=[{"state": {"waiting": {"reason": "ErrImagePull"}}}]),
            pod(
                "e",
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes are available",
                    }
                ],
            ),
            *[pod(f"f{number}", containerStatuses=[crashing]) for number in range(4)],
        ],
    )
    told = [line for line in lines if line.startswith(("pod ", "and "))]
    assert told[:3] == [
        "pod a: CrashLoopBackOff, 5 restarts, last end Error with 2",
        "pod d: ErrImagePull",
        "pod e: Unschedulable, 0/3 nodes are available",
    ]
    assert told[-1] == "and 2 more pods like these"


def test_the_newest_events_come_last() -> None:
    events = [
        {
            "reason": "Scaled",
            "message": f"number {number}",
            "lastTimestamp": ago(minutes=9 - number),
        }
        for number in (3, 0, 2, 1)
    ]
    assert shown(HEALTHY, events=events)[-3:] == [
        "8m ago, Scaled: number 1",
        "7m ago, Scaled: number 2",
        "6m ago, Scaled: number 3",
    ]


def test_of_many_those_that_need_help_come_first() -> None:
    bad = pipeline("bills", conditions=[condition("Ready", "False", "RedisRefused")])
    lines = list(fleet([HEALTHY, bad, pipeline("new")], 80))
    assert [line.split() for line in lines] == [
        ["NAMESPACE", "NAME", "READY", "WORKERS", "LAG", "PENDING", "DEAD", "REASON"],
        ["airport", "bills", "False", "?", "?", "?", "?", "RedisRefused"],
        ["airport", "new", "Unknown", "?", "?", "?", "?", "no", "status", "yet"],
        ["airport", "flights", "True", "1/1", "40", "5", "1", "Available"],
    ]
    assert list(fleet([], 80)) == ["there is no StreamPipeline"]


def figures(added: int, lag: int, pending: int) -> dict[str, Any]:
    return pipeline(stream={"entriesAdded": added}, lag=lag, pending=pending)


def test_rates_are_those_of_the_last_minute() -> None:
    rates = Rates()
    for at, subject in (
        (0, figures(0, 0, 0)),
        (30, figures(3000, 6000, 0)),
        (90, figures(9000, 3000, 1000)),
    ):
        rates.add(subject, at)
    # 6,000 entries for each of two groups, and 2,000 fewer left.
    assert rates.of(figures(0, 0, 0)) == (100, (12_000 + 2_000) / 60)
    (_, row) = fleet_rates([figures(9000, 3000, 1000)], rates, 80)
    assert row.split()[4:7] == ["1,000", "100", "233"]


def test_nothing_is_said_of_rates_before_two_looks_or_after_a_new_stream() -> None:
    rates = Rates()
    assert rates.of(HEALTHY) is None
    rates.add(figures(100, 0, 0), 0)
    rates.add(pipeline(), 5)
    assert rates.of(HEALTHY) is None
    rates.add(figures(10, 0, 0), 10)
    assert rates.of(HEALTHY) is None


@pytest.mark.parametrize(
    ("redis", "status", "where"),
    [
        ({"endpoints": ["redis:6379"]}, {}, "redis:6379"),
        ({"connectionRef": {"name": "main"}}, {}, "RedisConnection main"),
        ({"connectionRef": {"name": "main"}}, {"endpoint": "redis.airport:6379"}, "redis.airport"),
        (
            {"credentialsSecretRef": {"name": "cloud", "urlKey": "url"}},
            {},
            "the URL in Secret cloud",
        ),
    ],
)
def test_it_says_where_redis_is_or_who_knows_it(
    redis: dict[str, Any], status: dict[str, Any], where: str
) -> None:
    one = pipeline(**status)
    one["spec"]["redis"] = redis
    lines = list(one_pipeline(one, [], [], NOW.timestamp()))
    assert any(line.startswith(f"stream flights at {where}") for line in lines)
