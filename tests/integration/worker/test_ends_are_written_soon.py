"""What has ended is written soon, however busy the worker is with other events."""

import asyncio
import threading
import time

from tests.support.waiting import eventually
from tests.support.workers import Stage, worker

import headrace

OUT = "{flights}:out"
OUTPUTS = [{"stream": OUT}]
LONG = {"handlerTimeout": "60s", "minIdle": "60s"}


async def test_an_end_is_written_while_its_slot_waits_in_the_next_handler(stage: Stage) -> None:
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: int, ctx: headrace.Context) -> None:
        if event:
            await gate.wait()
        ctx.emit(OUT, headrace.Event("out", event))

    stage.send(0, 1, 2, 3, 4)
    async with worker(stage, app, outputs=OUTPUTS, concurrency=1, delivery=LONG):
        await eventually(lambda: stage.redis.xlen(OUT) == 1, 3.0)  # before a read would come by
        gate.set()
        await eventually(lambda: stage.settled)


async def test_ends_of_waiting_handlers_are_written_within_moments_under_a_backlog(
    stage: Stage,
) -> None:
    app, ended = headrace.App(), {}

    @app.on("flight.landed")
    async def landed(event: int, ctx: headrace.Context) -> None:
        await asyncio.sleep(0.3)
        ctx.emit(OUT, headrace.Event("out", event))
        ended[event] = time.time()

    stage.send(*range(40))
    async with worker(stage, app, outputs=OUTPUTS, concurrency=4, delivery=LONG):
        await eventually(lambda: stage.settled)
    late = sorted(
        int(id_.split(b"-")[0]) / 1000 - ended[int(fields[b"payload"])]
        for id_, fields in stage.redis.xrange(OUT)
    )
    assert len(late) == 40
    assert late[len(late) // 2] < 0.1, late  # the median: a busy machine may hold up a few


async def test_the_ends_of_a_thread_batch_do_not_wait_for_its_slow_call(stage: Stage) -> None:
    app, gate, handled = headrace.App(), threading.Event(), []

    @app.on("flight.landed")
    def landed(event: int) -> None:
        if event == 1000:
            gate.wait(30)
        handled.append(event)

    stage.send(*range(1100))
    try:
        async with worker(stage, app, concurrency=1, delivery=LONG) as runtime:
            await eventually(lambda: len(handled) == 1000 and stage.pending)
            done = runtime.metrics.events
            await eventually(lambda: done["flight.landed/1", "done"] == 1000, 5.0)
            gate.set()
            await eventually(lambda: stage.settled)
    finally:
        gate.set()


async def test_the_loop_gets_a_turn_between_events_that_compute(stage: Stage) -> None:
    app, turns = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: int) -> None:
        until_then = time.monotonic() + 0.05
        while time.monotonic() < until_then:
            pass
        turns.append(event)

    stage.send(*range(30))
    async with worker(stage, app, concurrency=4, delivery=LONG):
        seen = set()
        while len(turns) < 30:
            await asyncio.sleep(0)
            seen.add(len(turns))
        assert len(seen) > 20, seen
        await eventually(lambda: stage.settled)
