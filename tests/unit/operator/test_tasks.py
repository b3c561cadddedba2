"""What lives together ends together, whatever happens to a cancellation on its way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from headrace_operator.tasks import first_to_end


async def deaf_once(ended: list[str]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    try:
        await asyncio.sleep(3600)
    finally:
        ended.append("deaf")


async def fail() -> None:
    raise RuntimeError("lost")


@pytest.mark.timeout(20)
async def test_when_one_fails_the_others_end_also_those_that_swallow_a_cancellation() -> None:
    ended: list[str] = []
    with pytest.raises(RuntimeError, match="lost"):
        await first_to_end(deaf_once(ended), fail())
    assert ended == ["deaf"]
