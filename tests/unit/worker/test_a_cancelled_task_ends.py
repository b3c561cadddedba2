"""A task is cancelled until it has ended, also where a first cancellation is swallowed."""

import asyncio
import contextlib

from headrace.worker.cancel import cancel


async def test_a_cancellation_that_is_swallowed_is_repeated() -> None:
    swallowed = asyncio.Event()

    async def deaf_once() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        swallowed.set()
        await asyncio.sleep(60)

    async def failed() -> None:
        raise ValueError

    tasks = [asyncio.create_task(deaf_once()), asyncio.create_task(failed())]
    await asyncio.sleep(0)
    await cancel(tasks)
    assert swallowed.is_set()
    assert tasks[0].cancelled()
    assert isinstance(tasks[1].exception(), ValueError)


async def test_nothing_to_cancel_is_fine() -> None:
    await cancel([])
