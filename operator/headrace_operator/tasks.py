"""Tasks that live together: when one ends, all do."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

from headrace.worker.cancel import cancel


async def first_to_end(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run them all; when the first ends, end the others and raise what it raised."""
    await end_with_first([asyncio.create_task(coroutine) for coroutine in coroutines])


async def end_with_first(tasks: Collection[asyncio.Task[Any]]) -> None:
    """The same for tasks that run already."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await cancel(tasks)
