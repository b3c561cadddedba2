"""Sync handlers share hops to their threads; nothing else of an event is shared."""

import threading
import time

from tests.support.waiting import eventually
from tests.support.workers import Stage, worker

import headrace


async def test_each_event_of_a_thread_batch_has_an_outcome_of_its_own(stage: Stage) -> None:
    app, handled = headrace.App(), []

    @app.on("flight.landed")
    def landed(event: int, ctx: headrace.Context) -> None:
        if event % 100 == 7:
            raise headrace.Reject(f"{event} is bad")
        if event % 100 == 8 and ctx.attempt == 1:
            raise headrace.Retry("later", after=0.01, counts=True)
        if event % 100 == 9:
            raise headrace.Skip
        ctx.emit("{flights}:late", headrace.Event("late", event))
        handled.append(event)

    stage.send(*range(2000))
    outputs = [{"stream": "{flights}:late"}]
    async with worker(stage, app, outputs=outputs, concurrency=2) as runtime:
        sizes: list[int] = []  # they grow, and shrink again where the machine is busy

        def settled() -> bool:
            sizes.extend(slot.batch_size for slot in runtime.dispatcher.slots)
            return stage.settled

        await eventually(settled)
        await eventually(lambda: runtime.metrics.events["flight.landed/1", "skipped"] == 20)
        assert max(sizes) > 2
    assert sorted(handled) == [n for n in range(2000) if n % 100 not in (7, 9)]
    assert len(stage.dead) == 20
    assert stage.redis.xlen("{flights}:late") == 1960


async def test_events_behind_one_that_turns_out_slow_go_to_other_slots(stage: Stage) -> None:
    app, handled, gate = headrace.App(), [], threading.Event()

    @app.on("flight.landed")
    def landed(event: int) -> None:
        if event == 1000:
            gate.wait(20)
        handled.append(event)

    stage.send(*range(1100))
    try:
        async with worker(stage, app, concurrency=2, delivery={"handlerTimeout": "20s"}):
            await eventually(lambda: len(handled) == 1099, 5.0)
            assert 1000 not in handled
            gate.set()
            await eventually(lambda: stage.settled)
    finally:
        gate.set()


async def test_only_the_event_that_overruns_times_out(stage: Stage) -> None:
    app, handled, tries = headrace.App(), [], []

    @app.on("flight.landed")
    def landed(event: int, ctx: headrace.Context) -> None:
        if event == 1000:
            tries.append(ctx.attempt)
            if ctx.attempt == 1:
                time.sleep(1.5)
        handled.append(event)

    stage.send(*range(1100))
    delivery = {"handlerTimeout": "300ms"}
    async with worker(stage, app, concurrency=1, delivery=delivery) as runtime:
        await eventually(lambda: stage.settled)
        assert runtime.metrics.counts["timeouts"] == 1
        await eventually(lambda: runtime.metrics.events["flight.landed/1", "done"] == 1100)
    assert tries == [1, 2]
    assert len(handled) >= 1100


async def test_slow_sync_handlers_still_run_side_by_side(stage: Stage) -> None:
    app, running, most = headrace.App(), set(), []

    @app.on("flight.landed")
    def landed(event: int) -> None:
        if event < 500:
            return
        running.add(event)
        most.append(len(running))
        time.sleep(0.02)
        running.discard(event)

    stage.send(*range(600))
    async with worker(stage, app, concurrency=8):
        await eventually(lambda: stage.settled)
    assert max(most) == 8


async def test_a_sync_handler_that_returns_a_coroutine_now_and_then_is_awaited(
    stage: Stage,
) -> None:
    app, handled = headrace.App(), []

    async def late(event: int) -> None:
        handled.append(event)

    @app.on("flight.landed")
    def landed(event: int) -> object:
        if event % 10 == 0:
            return late(event)
        handled.append(event)
        return None

    stage.send(*range(1000))
    async with worker(stage, app, concurrency=2):
        await eventually(lambda: stage.settled)
    assert sorted(handled) == list(range(1000))


async def test_events_that_had_not_begun_at_a_time_out_run_as_if_nothing_had_happened(
    stage: Stage,
) -> None:
    app, handled, told = headrace.App(), set(), []
    hanging = threading.Event()
    away = threading.Event()

    @app.on("flight.landed")
    def landed(event: int, ctx: headrace.Context) -> None:
        if ctx.lost:
            told.append(event)
            return  # as the docs say: the result would be discarded
        if event >= 1000 and not away.is_set():
            hanging.set()
            while not ctx.lost:
                time.sleep(0.01)
            return
        handled.add(event)

    stage.send(*range(1600))
    delivery = {"handlerTimeout": "500ms", "maxRetries": 20, "minIdle": "60s"}
    async with worker(stage, app, concurrency=2, delivery=delivery) as runtime:
        await eventually(hanging.is_set)
        await eventually(lambda: runtime.metrics.counts["timeouts"] >= 4)
        away.set()  # what the handlers wait for is back
        await eventually(lambda: stage.settled)
        spent = runtime.metrics.handling["flight.landed/1"]
        assert spent.total > 0.5 * runtime.metrics.counts["timeouts"], "a time-out took no time"
    assert handled == set(range(1600)), sorted(set(range(1600)) - handled)[:5]
    assert told == []
