"""Takes away what a failure does not need. Pure but for the question it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrink(
    items: Sequence[T], fails: Callable[[Sequence[T]], bool], *, tries: int = 60
) -> tuple[T, ...]:
    """A subsequence that still fails and from which no single item can be dropped.

    Halves are tried first, then ever smaller pieces. `fails` is asked at most `tries` times; what
    has been found by then is the answer.
    """
    kept = tuple(items)
    size = max(len(kept) // 2, 1)
    while kept:
        for start in range(0, len(kept), size):
            if tries <= 0:
                return kept
            tries -= 1
            fewer = kept[:start] + kept[start + size :]
            if fails(fewer):
                kept = fewer
                break
        else:
            if size == 1:
                return kept
            size = max(size // 2, 1)
            continue
        size = max(min(size, len(kept) // 2), 1)
    return kept
