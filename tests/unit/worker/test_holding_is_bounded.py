"""A worker holds what runs, three buffers, and a slot's worth of claims; no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.worker.held import BUFFERED_SECONDS, read_count, read_room

SIZES = st.integers(1, 1000)
SECONDS = st.none() | st.floats(0, 3600)


@given(held=st.integers(0, 10_000), concurrency=SIZES, batch=SIZES, mean=SECONDS)
def test_a_read_never_brings_more_than_there_is_room_for(
    held: int, concurrency: int, batch: int, mean: float | None
) -> None:
    count = read_count(held, concurrency, batch, mean)
    assert 0 <= count <= batch
    # COUNT is per stream, and both may answer in full.
    assert not count or held + 2 * count <= concurrency + 3 * max(batch, concurrency)


@pytest.mark.parametrize(
    ("mean", "buffer"),
    [(None, 16), (0.0, 100), (0.001, 100), (0.1, 80), (1.0, 16), (60.0, 16)],
)
def test_slow_handlers_keep_no_more_waiting_than_they_start_in_half_a_second(
    mean: float | None, buffer: int
) -> None:
    assert BUFFERED_SECONDS == 0.5
    assert read_room(0, 16, 100, mean) == 16 + 3 * buffer
