"""Tasks that end together, and ending them.

Cancelling once is not enough: before Python 3.12 asyncio.wait_for swallows a cancellation that
comes just as what it waits for is done, and redis-py sends every command under one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

AGAIN_SECONDS = 0.1


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel the tasks, again and again, and return when all of them have ended."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)


async def first_to_end(*coroutines: Coroutine[Any, Any, Any]) -> int:
    """Run them all; when the first ends, end the others. Its index, the least of several.

    Raises what those that ended first raised.
    """
    return await end_with_first([asyncio.create_task(coroutine) for coroutine in coroutines])


async def end_with_first(running: Iterable[asyncio.Task[Any]]) -> int:
    """The same for tasks that run already."""
    tasks = list(running)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return min(index for index, task in enumerate(tasks) if task in done)
    finally:
        await cancel(tasks)
