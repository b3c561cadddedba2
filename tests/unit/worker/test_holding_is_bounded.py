"""A worker takes what it can begin at once and half a second of handling beside it; no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.worker.intake.room import BUFFERED_SECONDS, bound

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
