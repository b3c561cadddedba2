"""What is left of a failing story is small, and still fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hostile.shrink import shrink


@given(st.lists(st.integers(), max_size=12, unique=True), st.data())
def test_exactly_what_is_needed_is_left(items: list[int], data: st.DataObject) -> None:
    needed = set(data.draw(st.lists(st.sampled_from(items), max_size=3))) if items else set()
    kept = shrink(items, lambda fewer: needed <= set(fewer), tries=1000)
    assert set(kept) == needed


def test_the_order_stays() -> None:
    assert shrink([5, 3, 9, 1], lambda fewer: {9, 5} <= set(fewer)) == (5, 9)


def test_what_never_fails_again_stays_whole() -> None:
    assert shrink([1, 2, 3], lambda _: False) == (1, 2, 3)


@pytest.mark.parametrize("tries", [0, 1, 3])
def test_it_asks_no_more_often_than_it_may(tries: int) -> None:
    asked: list[Sequence[int]] = []

    def fails(fewer: Sequence[int]) -> bool:
        asked.append(fewer)
        return len(fewer) >= 2

    assert len(shrink(list(range(8)), fails, tries=tries)) >= 2
    assert len(asked) <= tries
