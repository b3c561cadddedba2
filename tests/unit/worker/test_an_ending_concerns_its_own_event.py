"""Whatever a handler raises or returns settles its own entry and nothing else."""

import asyncio
import warnings

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.endings import COLOURS, ENDINGS, app_of, unseen_log

import headrace
from headrace.testing import Harness

ENDS = {"done", "skipped", "retried", "dead_lettered"}


async def feed(told: list[str], colour: str) -> None:
    """Each odd event between two good ones: all get one end, and the good ones are done."""
    handled: list[int] = []
    order = [-1, *(n for number in range(len(told)) for n in (number, -1))]
    async with asyncio.timeout(60), Harness(app_of(told, handled), concurrency=2) as harness:
        results = await harness.feed_many(headrace.Event(colour, number) for number in order)
        for number, result in zip(order, results, strict=True):
            assert len(result.attempts) == 1, (number, result)
            assert result.outcome in ENDS, (number, result)
            if number == -1:
                assert result.outcome == "done"
        assert sorted(handled) == sorted(order)
        after = await harness.feed_many([headrace.Event(colour, -1)] * 3)
        assert [one.outcome for one in after] == ["done"] * 3


@pytest.mark.parametrize("colour", COLOURS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(told=st.lists(st.sampled_from(ENDINGS), min_size=1, max_size=10))
@example(told=ENDINGS)
def test_it_gets_one_end_and_its_neighbours_are_handled(told: list[str], colour: str) -> None:
    with warnings.catch_warnings(), unseen_log():
        warnings.simplefilter("ignore", RuntimeWarning)  # coroutines that nobody awaits
        asyncio.run(feed(told, colour))


async def test_a_handler_that_cancels_its_own_task_cancels_no_other_handler() -> None:
    app = headrace.App()

    @app.on("t")
    async def handle(event: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        if event == 0:
            task.cancel()  # and returns before the cancellation comes
        if event == 1:
            asyncio.get_running_loop().call_soon(task.cancel)  # comes when the event has ended
        await asyncio.sleep(0) if event == 2 else None

    async with asyncio.timeout(10), Harness(app, concurrency=1) as harness:
        for number in (0, 2, 1, 3):
            assert (await harness.feed(headrace.Event("t", number))).outcome == "done"
        results = await harness.feed_many([headrace.Event("t", n) for n in (0, 2, 0, 3)])
        assert [one.outcome for one in results] == ["done"] * 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, RuntimeError])
async def test_a_payload_that_a_deserializer_breaks_on_is_a_dead_letter(error) -> None:
    app = headrace.App()

    @app.deserializer("t")
    def read(payload: bytes) -> int:
        if payload == b"1":
            raise error
        return int(payload)

    @app.on("t")
    async def handle(event: int) -> None: ...

    async with asyncio.timeout(10), Harness(app) as harness:
        results = await harness.feed_many([headrace.Event("t", n) for n in (0, 1, 2)])
        assert [one.outcome for one in results] == ["done", "dead_lettered", "done"]
