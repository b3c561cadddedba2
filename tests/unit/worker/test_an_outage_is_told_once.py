"""What a log says of Redis that goes away, and how long it is waited for."""

import logging
from itertools import accumulate, pairwise, takewhile

import pytest
import redis

from headrace.worker.backoff import LATE_SECONDS, LEAST_SECONDS, SOON_SECONDS, attempts
from headrace.worker.outage import LASTING_SECONDS, QUIET_SECONDS, Outage

AWAY, LOADS = redis.ConnectionError("refused"), redis.BusyLoadingError("LOADING")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock, caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.INFO)
    return Outage("read", clock)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().split(":")[1].split(";")[0].strip() for record in caplog.records]


def test_one_line_for_each_reason_and_one_at_the_end(outage: Outage, caplog) -> None:
    for error in (AWAY, AWAY, LOADS, AWAY, LOADS):
        outage.begin(error)
    outage.end()
    assert told(caplog) == ["refused", "LOADING (Redis is loading its data)", "Redis answers again"]


def test_what_comes_and_goes_is_told_once_a_minute(outage: Outage, clock: Clock, caplog) -> None:
    for _ in range(600):
        outage.begin(AWAY)
        clock.now += 0.5
        outage.end()
        clock.now += 0.5
    assert told(caplog) == ["refused", "Redis answers again"] * round(600 / QUIET_SECONDS)


def test_what_stays_away_soon_after_it_was_back_is_told(
    outage: Outage, clock: Clock, caplog
) -> None:
    outage.begin(AWAY)
    outage.end()
    outage.begin(AWAY)
    assert told(caplog) == ["refused", "Redis answers again"]
    assert "refused" in outage.reason
    clock.now += LASTING_SECONDS + 0.1
    outage.begin(AWAY)
    assert told(caplog) == ["refused", "Redis answers again", "refused"]


def test_waits_grow_with_the_outage_and_stay_short_within_a_failover() -> None:
    longest = list(takewhile(lambda sum_: sum_ < 600, accumulate(attempts(rng=lambda: 0.999))))
    waits = [after - before for before, after in pairwise(longest)]
    assert max(wait for wait, at in zip(waits, longest, strict=False) if at < 20) <= SOON_SECONDS
    assert SOON_SECONDS < max(waits) <= LATE_SECONDS
    assert len(longest) < 100
    assert next(attempts(rng=lambda: 0.0)) == LEAST_SECONDS
