"""A batch handler that asks for it waits a little for a fuller batch."""

import asyncio
import time

from tests.support.waiting import eventually
from tests.support.workers import Stage, worker

import headrace
from headrace.testing import Harness


def lingering(linger: float, max_size: int) -> tuple[headrace.App, list[list[int]]]:
    app, batches = headrace.App(), []

    @app.batch("flight.landed", max_size=max_size, linger=linger)
    async def landed(events: list[int]) -> None:
        batches.append(events)

    return app, batches


async def test_events_that_come_one_by_one_are_handled_together(stage: Stage) -> None:
    app, batches = lingering(0.5, 100)
    async with worker(stage, app):
        for n in range(10):
            stage.send(n)
            await asyncio.sleep(0.01)
        await eventually(lambda: stage.settled)
    assert sorted(n for batch in batches for n in batch) == list(range(10))
    assert len(batches) <= 2


async def test_a_full_batch_waits_for_nothing(stage: Stage) -> None:
    app, batches = lingering(60, 10)
    stage.send(*range(30))
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert [len(batch) for batch in batches] == [10, 10, 10]


async def test_a_batch_waits_for_no_more_than_the_worker_may_hold(stage: Stage) -> None:
    app, batches = lingering(60, 1000)
    stage.send(*range(200))
    async with worker(stage, app, concurrency=1, batchSize=10):
        await eventually(lambda: len(batches) > 2)


async def test_what_is_left_over_after_full_batches_waits_no_longer_than_its_time(
    stage: Stage,
) -> None:
    app, batches = lingering(0.3, 10)
    stage.send(*range(25))
    started = time.monotonic()
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert sorted(len(batch) for batch in batches) == [5, 10, 10]
    assert time.monotonic() - started >= 0.3


async def test_a_worker_that_stops_gives_back_what_lingers_at_once(stage: Stage) -> None:
    app, batches = lingering(60, 10)
    stage.send(1, 2, 3)
    async with worker(stage, app) as runtime:
        await eventually(lambda: len(runtime.holding) == 3)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert batches == []
    app, batches = lingering(0, 10)
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert sorted(n for batch in batches for n in batch) == [1, 2, 3]


async def test_the_harness_waits_for_what_lingers() -> None:
    app, batches = lingering(0.1, 10)
    async with Harness(app) as harness:
        results = await harness.feed_many([headrace.Event("flight.landed", n) for n in range(3)])
        assert [one.outcome for one in results] == ["done"] * 3
    assert batches == [[0, 1, 2]]
