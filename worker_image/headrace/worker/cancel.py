"""Cancelling tasks until they have ended.

Once is not enough: before Python 3.12 asyncio.wait_for swallows a cancellation that comes just as
what it waits for is done, and redis-py sends every command under one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 0.1


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel the tasks, again and again, and return when all of them have ended."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
