"""A worker that stands still is told from one that waits, rests, or has nothing to do."""

from collections.abc import Callable, Iterable, Sequence

from tests.crash.progress import Life, Look, Signs, Span, stood_still

STEP = 0.05
LIFE = Life("pod-1", 0.0)


def found(
    looks: Sequence[Look],
    handled: Sequence[float] = (),
    carried: Sequence[float] = (),
    *,
    lives: Iterable[Life] = (LIFE,),
    outages: Iterable[Span] = (),
    handler: float = 0.0,
    message: float = 0.0,
) -> list[str]:
    signs = Signs({"pod-1": handled}, {"pod-1": carried})
    return stood_still(
        looks, signs, lives, outages, longest_handler=handler, longest_message=message
    )


def looks(seconds: float, owned: Callable[[float], int], *, unread: bool = False) -> list[Look]:
    times = [STEP * number for number in range(1, int(seconds / STEP))]
    return [Look(at, unread, {"pod-1": owned(at)}) for at in times]


def test_who_holds_entries_and_does_nothing_stands_still() -> None:
    (sentence,) = found(looks(5, lambda at: 3), [0.1])
    assert "pod-1 held entries and did nothing for 4" in sentence


def test_who_has_nothing_to_do_does_not() -> None:
    assert not found(looks(5, lambda at: 0))


def test_a_handler_that_runs_as_long_as_handlers_do_is_no_standstill() -> None:
    assert not found(looks(5, lambda at: 3), [0.1], handler=3.0)


def test_an_entry_that_leaves_is_a_sign() -> None:
    assert not found(looks(5, lambda at: int(10 - at)))


def test_a_payload_on_its_way_is_a_sign() -> None:
    pieces = [0.1 + STEP * n for n in range(60)]
    assert not found(looks(5, lambda at: 3), carried=pieces, message=3.0)
    (sentence,) = found(looks(6, lambda at: 3), carried=pieces, message=6.0)
    assert "pod-1 held entries and did nothing for 2.9 s" in sentence


def test_a_payload_that_comes_for_ever_is_none() -> None:
    pieces = [STEP * n for n in range(200)]
    (sentence,) = found(looks(9, lambda at: 3), carried=pieces, message=3.0)
    assert "pod-1 moved payloads, and nothing else, for 8" in sentence
    (sentence,) = found(looks(9, lambda at: 0, unread=True), carried=pieces, message=3.0)
    assert sentence == "entries were unread and payloads moved, no more, for 8.9 s"


def test_an_outage_is_nobodys_fault_and_two_seconds_more_are_not() -> None:
    signs = [0.1, 5.5]
    assert not found(looks(6, lambda at: 3), signs, outages=[Span(0.2, 4.0)])
    assert found(looks(6, lambda at: 3), signs, outages=[Span(0.2, 3.0)])


def test_who_is_dead_or_paused_does_not_stand_still() -> None:
    assert not found(looks(9, lambda at: 3), lives=[Life("pod-1", 0.0, 1.0)])


def test_the_group_stands_still_where_entries_are_unread_and_nobody_moves() -> None:
    sentences = found(looks(5, lambda at: 0, unread=True), lives=[])
    assert sentences == ["entries were unread and nobody did anything for 4.9 s"]


def test_a_machine_that_stands_still_counts_for_little() -> None:
    seen = [Look(0.0, True, {}), Look(0.1, True, {}), Look(9.0, True, {})]
    assert not found(seen, lives=[])
