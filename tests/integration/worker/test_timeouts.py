"""A handler that runs too long frees its slot, whether it listens or not."""

import asyncio
import contextlib
import time

import pytest
from tests.support.waiting import eventually
from tests.support.workers import Stage, worker

import headrace

TIMEOUT = {"handlerTimeout": "200ms", "maxRetries": 0}


def obedient(app: headrace.App) -> None:
    @app.on("slow")
    async def slow(event: int) -> None:
        await asyncio.sleep(60)


def deaf(app: headrace.App) -> None:
    @app.on("slow")
    async def slow(event: int) -> None:
        ends = time.monotonic() + 6
        while time.monotonic() < ends:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(ends - time.monotonic())


def in_a_thread(app: headrace.App) -> None:
    @app.on("slow")
    def slow(event: int) -> None:
        time.sleep(6)


@pytest.mark.parametrize("slow", [obedient, deaf, in_a_thread])
async def test_the_only_slot_is_free_again_after_the_timeout(stage: Stage, slow) -> None:
    app, seen = headrace.App(), []
    slow(app)

    @app.on("quick")
    async def quick(event: int) -> None:
        seen.append(event)

    @app.on("quick in a thread")
    def quick_in_a_thread(event: int) -> None:
        seen.append(event)

    stage.send(1, type="slow")
    stage.send(2, type="quick")
    stage.send(3, type="quick in a thread")
    async with worker(stage, app, concurrency=1, delivery=TIMEOUT) as runtime:
        await eventually(lambda: seen == [2, 3], 5.0)  # before the slow one would end by itself
        await eventually(lambda: stage.settled)
        assert runtime.metrics.counts["timeouts"] == 1
    (letter,) = stage.dead
    assert letter[b"error_type"] == b"HandlerTimeout"
    assert letter[b"error"] == b"the handler ran longer than its time-out of 0.2 s"


async def test_a_handlers_own_timeout_stands_before_the_groups(stage: Stage) -> None:
    app, seen = headrace.App(), []

    @app.on("slow", timeout=10)
    async def slow(event: int) -> None:
        await asyncio.sleep(0.8)
        seen.append(event)

    stage.send(1, type="slow")
    async with worker(stage, app, delivery=TIMEOUT):
        await eventually(lambda: stage.settled)
    assert seen == [1]


async def test_a_thread_that_outlives_its_timeout_is_told_and_its_outputs_are_dropped(
    stage: Stage,
) -> None:
    app, told = headrace.App(), []

    @app.on("slow")
    def slow(event: int, ctx: headrace.Context) -> None:
        while not ctx.lost:
            time.sleep(0.01)
        ctx.emit("out", headrace.Event("out", event))
        told.append(ctx.lost)

    stage.send(1, type="slow")
    async with worker(
        stage, app, concurrency=1, delivery=TIMEOUT, outputs=[{"stream": "out"}]
    ) as runtime:
        await eventually(lambda: told == [True])
        await eventually(lambda: stage.settled)
        await eventually(lambda: not runtime.dispatcher.left_behind)
    assert [letter[b"error_type"] for letter in stage.dead] == [b"HandlerTimeout"]
    assert not stage.redis.exists("out")
