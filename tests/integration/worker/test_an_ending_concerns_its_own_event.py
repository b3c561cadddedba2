"""Whatever a handler raises or returns settles its own entry and nothing else, in a real worker."""

import asyncio
import warnings
from collections import Counter

import pytest
from tests.support.endings import COLOURS, ENDINGS, app_of, unseen_log
from tests.support.waiting import eventually
from tests.support.workers import Stage, worker

import headrace


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # coroutines that nobody awaits
async def test_each_odd_ending_is_an_end_and_every_other_event_is_handled(stage: Stage) -> None:
    handled: list[int] = []
    app = app_of(ENDINGS, handled)
    order = [-1, *(n for number in range(len(ENDINGS)) for n in (number, -1))]
    for colour in COLOURS:
        stage.send(*order, type=colour)
    with warnings.catch_warnings(), unseen_log():
        warnings.simplefilter("ignore", RuntimeWarning)
        async with worker(stage, app, concurrency=4, delivery={"maxRetries": 0}) as runtime:
            await eventually(lambda: stage.settled)
            assert not runtime.failed.is_set()
            assert runtime.live() is None
            events = runtime.metrics.events
            await eventually(lambda: events.total() >= len(order) * len(COLOURS))
            for colour in COLOURS:
                ends = Counter({o: n for (t, o), n in events.items() if t == f"{colour}/1"})
                assert ends.total() == len(order), (colour, ends)
                assert set(ends) <= {"done", "skipped", "dead_lettered"}
            assert runtime.metrics.counts["timeouts"] == 0
    assert Counter(handled) == Counter(order * len(COLOURS))
    payloads = {letter[b"f:payload"] for letter in stage.dead}
    assert b"-1" not in payloads


@pytest.mark.parametrize("part", ["settler", "suspects", "ticker", "upkeep", "reader"])
async def test_a_handler_that_cancels_a_part_of_the_worker_ends_the_process(
    stage: Stage, part: str
) -> None:
    """Half a worker would hold events and look alive."""
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: int) -> None:
        (task,) = (one for one in asyncio.all_tasks() if one.get_name() == part)
        while not task.done():  # asyncio.wait_for may swallow one
            task.cancel()
            await asyncio.sleep(0.01)

    async with worker(stage, app) as runtime:
        stage.send(1)
        await eventually(runtime.failed.is_set)
