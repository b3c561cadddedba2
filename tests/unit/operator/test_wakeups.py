"""Which readings wake a pipeline at once, which can wait, and which are no news."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.observations import backlog, group_backlog

from headrace.streams.backlog import GroupBacklog, Quality
from headrace.streams.durability import Danger, Risk
from headrace_operator.backlog.wakeups import Reading, ScalingTarget, Urgency, urgency

STEPS = {"delays": ScalingTarget(target=100, max_replicas=10)}


def reading(group: GroupBacklog | None = None, **stream: Any) -> Reading:
    return Reading(replace(backlog(delays=group or group_backlog(50)), **stream), None, 1.0)


RISK = Risk(Danger.EVICTABLE, "it may be evicted", "set noeviction")
DARK = Reading(None, "Connection refused.", 1.0)

CASES: list[tuple[str, Reading | None, Reading, Urgency]] = [
    ("the first reading", None, reading(), Urgency.NOW),
    ("the same again", reading(), reading(server_ms=99), Urgency.NONE),
    ("Redis is gone", reading(), DARK, Urgency.NOW),
    ("still gone", DARK, replace(DARK, clock=9.0), Urgency.NONE),
    ("Redis is back", DARK, reading(), Urgency.NOW),
    ("another worker is needed", reading(), reading(group_backlog(101)), Urgency.NOW),
    ("no other worker is needed", reading(), reading(group_backlog(100)), Urgency.LATER),
    ("fewer are needed", reading(group_backlog(900)), reading(), Urgency.LATER),
    (
        "more than the most anyway",
        reading(group_backlog(5_000)),
        reading(group_backlog(90_000)),
        Urgency.LATER,
    ),
    ("the first entry", reading(group_backlog(0)), reading(group_backlog(1)), Urgency.NOW),
    ("lag becomes unknown", reading(), reading(group_backlog(None)), Urgency.NOW),
    ("the group is gone", reading(), reading(group_backlog(None, exists=False)), Urgency.NOW),
    ("now at most", reading(), reading(group_backlog(50, quality=Quality.UPPER)), Urgency.NOW),
    ("ahead of its stream", reading(), reading(group_backlog(50, ahead_of_stream=True)),
     Urgency.NOW),
    ("the key is no stream", reading(), reading(error="WRONGTYPE"), Urgency.NOW),
    ("a dead letter more", reading(), reading(dead_letters=1), Urgency.LATER),
    ("it can lose the stream", reading(), replace(reading(), risk=RISK), Urgency.NOW),
    ("time passes", reading(group_backlog(50, oldest_age_s=1.0, next_due_ms=500)),
     reading(group_backlog(50, oldest_age_s=2.0, next_due_ms=400)), Urgency.NONE),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "wanted"), [c[1:] for c in CASES],
                         ids=[c[0] for c in CASES])  # fmt: skip
def test_urgency(before: Reading | None, after: Reading, wanted: Urgency) -> None:
    assert urgency(before, after, STEPS) is wanted


def test_a_group_without_a_step_wakes_for_every_entry() -> None:
    assert urgency(reading(), reading(group_backlog(51)), {}) is Urgency.NOW
