"""What lives together ends together, whatever happens to a cancellation on its way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from headrace.worker.tasks import cancel, first_to_end


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


async def test_the_index_says_who_ended_and_who_did_not_is_cancelled() -> None:
    assert await first_to_end(asyncio.sleep(3600), asyncio.sleep(0)) == 1
    assert await first_to_end(asyncio.sleep(0), asyncio.sleep(0)) == 0, "the least of both"


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
