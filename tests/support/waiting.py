"""Waiting on conditions, never for a time: what tests do until something is so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

WAIT_SECONDS = 30.0
"""Generous: the machine decides how long it takes, the condition whether it came."""


def until(what: str, look: Callable[[], T], *, within: float = 20.0) -> T:
    """Wait until `look` answers with something true; fails with what was waited for.

    A `look` that stumbles over what is not there yet is asked again.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            seen, wrong = look(), None
        except (AssertionError, KeyError, TypeError, IndexError) as error:
            seen, wrong = None, error
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}; last: {wrong or seen!r}")
        time.sleep(0.05)


async def eventually(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition beside the running loop; fails when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        await asyncio.sleep(0.01)


def eventually_sync(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
    """The same for tests without a loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)
