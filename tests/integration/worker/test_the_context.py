"""What a handler is told and given by a worker at a real server."""

import signal
from typing import Any

from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import GROUP, STREAM, Stage, worker, workers

import headrace


async def test_a_handler_knows_its_entry_and_uses_the_pipelines_redis(stage: Stage) -> None:
    app, told = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: int, ctx: headrace.Context) -> None:
        await ctx.redis.incr("landed")
        told.append(
            {
                name: getattr(ctx, name)
                for name in ("id", "stream", "group", "consumer", "attempt", "delivery_count")
            }
        )
        if ctx.attempt == 1:
            raise ValueError("once")

    (sent,) = stage.send(1)
    async with worker(stage, app) as runtime:
        await eventually(lambda: len(told) == 2)
        await eventually(lambda: stage.settled)
        about = {"id": sent.decode(), "stream": STREAM, "group": GROUP}
        about["consumer"] = runtime.settings.consumer
    assert stage.redis.get("landed") == b"2"
    assert told == [
        {**about, "attempt": 1, "delivery_count": 1},
        {**about, "attempt": 2, "delivery_count": 2},
    ]


async def test_a_batch_shares_one_client_and_has_a_context_for_each_event(stage: Stage) -> None:
    app, ids = headrace.App(), []

    @app.batch("flight.landed")
    async def landed(events: list[int], ctx: headrace.BatchContext) -> None:
        ids.extend(one.id.encode() for one in ctx)  # batches begin in order, and end in any
        await ctx.redis.incrby("landed", len(ctx))
        assert ctx[0].id == next(iter(ctx)).id

    @app.batch("flight.left")
    def left(events: list[int], ctx: headrace.BatchContext) -> None:
        ctx.blocking_redis.incrby("left", len(events))

    sent = stage.send(1, 2, 3)
    stage.send(1, 2, type="flight.left")
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert (ids, stage.dead) == (sent, [])
    assert (stage.redis.get("landed"), stage.redis.get("left")) == (b"3", b"2")


async def test_a_handler_under_way_is_told_of_the_shutdown(stage: Stage) -> None:
    app, told = headrace.App(), []

    async def watch(ctx: Any) -> None:
        told.append(ctx.shutting_down)
        await eventually(lambda: ctx.shutting_down)
        told.append(ctx.shutting_down)

    @app.on("one")
    async def one(event: int, ctx: headrace.Context) -> None:
        await watch(ctx)

    @app.batch("many")
    async def many(events: list[int], ctx: headrace.BatchContext) -> None:
        await watch(ctx)

    stage.send(1, type="one")
    stage.send(1, type="many")
    async with worker(stage, app):
        await eventually(lambda: told == [False, False])
    assert told == [False, False, True, True]
    assert stage.settled


HANDLERS = """
    @app.lifespan
    async def around(app):
        app.state.word = "open"
        effect("start")
        yield
        effect("stop")

    @app.on("flight.landed")
    async def landed(event: int) -> None:
        effect(f"landed {app.state.word}")
"""


def test_the_lifespan_starts_before_the_first_event_and_stops_after_the_last(stage: Stage) -> None:
    stage.send(1)
    with workers(stage, HANDLERS) as group:
        one = group.start()
        eventually_sync(lambda: stage.settled)
        one.signal(signal.SIGTERM)
        assert one.process.wait(20) == 0
        assert group.effects == ["start", "landed open", "stop"]
