"""A worker that stands still is told from one that waits, rests, or has nothing to do."""

from collections.abc import Callable

from tests.crash.progress import Life, Look, Span, stood_still

STEP = 0.05
LIFE = Life("pod-1", 0.0)


def looks(seconds: float, owned: Callable[[float], int], *, unread: bool = False) -> list[Look]:
    times = [STEP * number for number in range(1, int(seconds / STEP))]
    return [Look(at, unread, {"pod-1": owned(at)}) for at in times]


def test_who_holds_entries_and_does_nothing_stands_still() -> None:
    found = stood_still(looks(5, lambda at: 3), {"pod-1": [0.1]}, [LIFE], [], 0.0)
    assert found
    assert "pod-1 held entries and did nothing for 4" in found[0]


def test_who_has_nothing_to_do_does_not() -> None:
    assert not stood_still(looks(5, lambda at: 0), {}, [LIFE], [], 0.0)


def test_a_handler_that_runs_as_long_as_handlers_do_is_no_standstill() -> None:
    assert not stood_still(looks(5, lambda at: 3), {"pod-1": [0.1]}, [LIFE], [], 3.0)


def test_an_entry_that_leaves_is_a_sign() -> None:
    assert not stood_still(looks(5, lambda at: int(10 - at)), {}, [LIFE], [], 0.0)


def test_an_outage_is_nobodys_fault_and_two_seconds_more_are_not() -> None:
    signs = {"pod-1": [0.1, 5.5]}
    assert not stood_still(looks(6, lambda at: 3), signs, [LIFE], [Span(0.2, 4.0)], 0.0)
    assert stood_still(looks(6, lambda at: 3), signs, [LIFE], [Span(0.2, 3.0)], 0.0)


def test_who_is_dead_or_paused_does_not_stand_still() -> None:
    assert not stood_still(looks(9, lambda at: 3), {}, [Life("pod-1", 0.0, 1.0)], [], 0.0)


def test_the_group_stands_still_where_entries_are_unread_and_nobody_moves() -> None:
    found = stood_still(looks(5, lambda at: 0, unread=True), {}, [], [], 0.0)
    assert found == ["entries were unread and nobody did anything for 4.9 s"]


def test_a_machine_that_stands_still_counts_for_little() -> None:
    seen = [Look(0.0, True, {}), Look(0.1, True, {}), Look(9.0, True, {})]
    assert not stood_still(seen, {}, [], [], 0.0)
