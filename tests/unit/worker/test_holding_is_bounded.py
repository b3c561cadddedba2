"""A worker takes what it can begin at once and half a second of handling beside it; no more."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.entry import Entry
from headrace.worker.held import Holding
from headrace.worker.intake.room import BUFFERED_SECONDS, Room, bound

SIZES = st.integers(1, 1000)
SECONDS = st.none() | st.floats(0, 3600)


@given(concurrency=SIZES, batch=SIZES, mean=SECONDS)
def test_what_waits_is_three_batches_at_most(
    concurrency: int, batch: int, mean: float | None
) -> None:
    assert concurrency <= bound(concurrency, batch, mean) <= concurrency + 3 * batch


@pytest.mark.parametrize(
    ("mean", "waiting"),
    [(None, 0), (0.0, 300), (0.001, 300), (0.1, 80), (1.0, 8), (5.0, 1), (60.0, 0)],
)
def test_no_more_waits_than_is_started_in_half_a_second(mean: float | None, waiting: int) -> None:
    assert BUFFERED_SECONDS == 0.5
    assert bound(16, 100, mean) == 16 + waiting


@pytest.mark.parametrize(("handler_batch", "waiting"), [(10, 10), (500, 100)])
def test_a_slow_batch_handler_finds_a_batch_waiting(handler_batch: int, waiting: int) -> None:
    assert bound(16, 100, 60.0, handler_batch) == 16 + waiting


@given(
    concurrency=SIZES,
    batch=SIZES,
    held=st.integers(0, 5_000),
    claim_first=st.booleans(),
    most=SIZES,
)
def test_a_read_and_a_claim_at_the_same_time_keep_to_the_bound_together(
    concurrency: int, batch: int, held: int, claim_first: bool, most: int
) -> None:
    holding = Holding()
    limit = bound(concurrency, batch, None)
    holding.add([Entry(b"%d-0" % n, []) for n in range(min(held, limit))])
    room = room_for(holding, concurrency, batch)
    if claim_first:
        claimed = room.for_claim(most)
        with room.kept(claimed):
            read = room.for_read()
    else:
        read = room.for_read()
        claimed = room.for_claim(most)
        assert claimed >= min(most, concurrency), "a slot's worth is kept for claims"
    assert len(holding) + read + claimed <= limit + concurrency + 1


def room_for(holding: Holding, concurrency: int, batch: int) -> Room:
    """With nothing handled yet, and sizes that allow any count."""
    dispatcher = SimpleNamespace(
        queue=SimpleNamespace(paused=False), routes=SimpleNamespace(all=[])
    )
    room = Room(
        holding=holding,
        dispatcher=cast(Any, dispatcher),
        settler=cast(Any, SimpleNamespace(leaving=0)),
        concurrency=concurrency,
        batch_size=batch,
    )
    for _ in range(20):
        room.reply_size.arrived(1, 100, 0.001)
    return room
