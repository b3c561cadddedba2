"""When a server is full at the rate of the last hour: trims within it are no growth."""

import pytest

from headrace.streams.memory import Room, room_of
from headrace_operator.backlog.memory_trend import MemoryTrend

LIMIT = 1_000_000_000
MINUTE, HOUR = 60, 3_600


def trend(*used: float, limit: int = LIMIT, every: float = MINUTE) -> MemoryTrend:
    made = MemoryTrend()
    for n, one in enumerate(used):
        made.add(n * every, Room(int(one), limit))
    return made


def test_steady_growth_is_carried_on() -> None:
    half = trend(*(500_000_000 + n * 1_000_000 for n in range(31)))
    assert half.full_in() == pytest.approx(470 * MINUTE)


def test_only_the_last_hour_counts() -> None:
    grown_then_still = trend(*(n * 1_000_000 for n in range(60)), *[60_000_000] * 61)
    assert grown_then_still.full_in() is None


@pytest.mark.parametrize("period", [5, 15, 30, 60])
def test_what_a_trim_takes_away_again_is_no_growth(period: int) -> None:
    for minutes in range(60, 180):
        used = [400_000_000 + (n % period) * 3_000_000 for n in range(minutes + 1)]
        assert trend(*used).full_in() is None


@pytest.mark.parametrize("period", [5, 15, 30, 60])
def test_growth_beneath_the_trims_is_seen(period: int) -> None:
    used = [n * 1_000_000 + (n % period) * 3_000_000 for n in range(101)]
    left = LIMIT - used[-1]
    assert trend(*used).full_in() == pytest.approx(left / 1_000_000 * MINUTE)


def test_a_few_minutes_tell_nothing() -> None:
    assert trend(*(n * 9_000_000 for n in range(10))).full_in() is None
    assert trend(*(n * 9_000_000 for n in range(11))).full_in() is not None


def test_full_is_full_however_young() -> None:
    assert trend(LIMIT).full_in() == 0
    assert trend(LIMIT + 1, LIMIT + 5).full_in() == 0


@pytest.mark.parametrize(
    "made",
    [
        trend(),
        trend(*range(0, 900_000_000, 9_000_000), limit=0),
        trend(*range(900_000_000, 100_000_000, -9_000_000)),
        trend(*range(100)),
    ],
    ids=["nothing seen", "no maxmemory", "shrinking", "more than 30 days"],
)
def test_nothing_is_said_where_nothing_is_known(made: MemoryTrend) -> None:
    assert made.full_in() is None


def test_a_server_that_stops_saying_begins_anew() -> None:
    made = trend(*(n * 9_000_000 for n in range(20)))
    made.add(20 * MINUTE, None)
    made.add(21 * MINUTE, Room(300_000_000, LIMIT))
    assert made.full_in() is None


def test_what_does_not_count_against_maxmemory_is_left_out() -> None:
    info = {"used_memory": "500", "maxmemory": "900", "mem_not_counted_for_evict": "100"}
    assert room_of(info) == Room(400, 900)
    assert room_of({"used_memory": "500", "maxmemory": "900"}) == Room(500, 900)
    assert room_of({"maxmemory": "900"}) is None
