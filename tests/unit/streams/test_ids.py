"""Ids compare as two numbers, never as text and never as doubles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.ids import format_id, is_clock, parse_id

HALF = st.integers(0, 2**64 - 1)


@given(HALF, HALF)
def test_an_id_survives_its_text(ms: int, seq: int) -> None:
    assert parse_id(format_id((ms, seq))) == (ms, seq)


def test_order_is_numeric() -> None:
    assert parse_id(b"5-9") < parse_id(b"5-331")
    assert parse_id("9007199254740992-0") < parse_id("9007199254740993-0")
    assert parse_id(b"7") == (7, 0)


@pytest.mark.parametrize("text", ["", "-", "5-", "-5", "a-1", "1-b", "1-2-3", "+1-0", "²-0"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no stream id"):
        parse_id(text)


def test_counters_seconds_and_nanoseconds_are_no_clock() -> None:
    now = 1_700_000_000_000
    assert is_clock((now - 1, 0), now)
    for ms in (5, now // 1000, now * 1_000_000, now + 10**9):
        assert not is_clock((ms, 0), now)
