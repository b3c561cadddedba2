"""Tasks that live together: when one ends, all do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

ASK_AGAIN = 1.0


async def first_to_end(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run them all; when the first ends, end the others and raise what it raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel them, and again until they have ended.

    Before Python 3.12 asyncio.wait_for, which the Redis client uses for every command, swallows a
    cancellation that meets its answer.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN)
