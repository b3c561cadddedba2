"""What a worker takes it begins: nothing lies with one worker while another is idle."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.support.waiting import eventually
from tests.support.workers import GROUP, STREAM, Stage, worker

import headrace
from headrace.worker.runtime import Runtime

DELIVERY = {"minIdle": "10s", "handlerTimeout": "60s"}


class Gated:
    """Handlers that wait for the gate; events with `free` pass."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.ended: list[tuple[int, str]] = []
        self.app = headrace.App()

        @self.app.on("flight.landed")
        async def landed(event: dict, ctx: headrace.Context) -> None:
            if not event.get("free"):
                await self.gate.wait()
            self.ended.append((event["n"], ctx.consumer))


@contextlib.asynccontextmanager
async def staff(
    stage: Stage, gated: Gated, size: int, **changes: object
) -> AsyncIterator[list[Runtime]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(worker(stage, gated.app, delivery=DELIVERY, **changes))
            for _ in range(size)
        ]


def orphan(stage: Stage, *numbers: int) -> None:
    """Entries that a worker held which has been silent for minutes."""
    ids = stage.send(*({"n": n} for n in numbers))
    stage.redis.xreadgroup(GROUP, "gone-00000000", {STREAM: ">"}, count=len(ids))
    stage.redis.xclaim(STREAM, GROUP, "gone-00000000", 0, ids, idle=600_000, justid=True)


async def test_of_slow_events_a_worker_takes_no_more_than_it_begins(stage: Stage) -> None:
    gated = Gated()
    async with staff(stage, gated, 1, concurrency=4) as (first,):
        stage.send(*({"n": n} for n in range(40)))
        await eventually(lambda: first.dispatcher.running == 4)
        async with staff(stage, gated, 1, concurrency=4) as (second,):
            await eventually(lambda: second.dispatcher.running == 4)
            assert len(first.holding) <= 5
            assert len(second.holding) <= 5
            gated.gate.set()
            await eventually(lambda: stage.settled)


async def test_a_single_slot_is_given_work(stage: Stage) -> None:
    gated = Gated()
    gated.gate.set()
    stage.send(*({"n": n} for n in range(10)))
    async with staff(stage, gated, 1, concurrency=1):
        await eventually(lambda: stage.settled)


async def test_what_a_dead_worker_held_is_spread_over_the_group_one_by_one(stage: Stage) -> None:
    gated = Gated()
    async with staff(stage, gated, 3) as workers:
        orphan(stage, *range(30))
        await eventually(lambda: all(one.dispatcher.running == 1 for one in workers))
        assert [len(one.holding) for one in workers] == [1, 1, 1]
        gated.gate.set()
        await eventually(lambda: stage.settled)
    assert len({consumer for _, consumer in gated.ended}) == 3


async def test_a_worker_that_runs_a_suspect_leaves_new_events_to_the_others(stage: Stage) -> None:
    gated = Gated()
    async with staff(stage, gated, 1) as (busy,):
        orphan(stage, 1)
        await eventually(lambda: busy.dispatcher.running == 1 and not busy.reader.reading)
        stage.send(*({"n": n, "free": True} for n in range(100, 120)))
        async with staff(stage, gated, 1) as (idle,):
            await eventually(lambda: len(gated.ended) == 20)
            assert {consumer for _, consumer in gated.ended} == {idle.settings.consumer}
            assert len(busy.holding) == 1
            gated.gate.set()
            await eventually(lambda: stage.settled)


async def test_what_waits_behind_a_suspect_for_long_is_handed_to_the_others(stage: Stage) -> None:
    gated = Gated()
    async with staff(stage, gated, 1, concurrency=1) as (busy,):
        stage.send(*({"n": n, "free": True} for n in range(100)))
        await eventually(lambda: stage.settled)  # fast, so that it reads ahead
        stage.send({"n": 1}, *({"n": n, "free": True} for n in range(100, 120)))
        await eventually(lambda: busy.dispatcher.running == 1 and len(busy.holding) > 20)
        orphan(stage, 2)
        await eventually(lambda: busy.dispatcher.suspects)
        async with staff(stage, gated, 1, concurrency=1):
            await eventually(lambda: len(gated.ended) == 120)
            assert not gated.gate.is_set()
            gated.gate.set()
            await eventually(lambda: stage.settled)


async def test_what_redis_would_not_take_back_is_handled_all_the_same(stage: Stage) -> None:
    gated = Gated()
    async with staff(stage, gated, 1, concurrency=1) as (busy,):
        stage.send(*({"n": n, "free": True} for n in range(100)))
        await eventually(lambda: stage.settled)
        stage.send({"n": 1}, *({"n": n, "free": True} for n in range(100, 120)))
        await eventually(lambda: busy.dispatcher.running == 1 and len(busy.holding) > 20)
        try:
            orphan(stage, 2)
            await eventually(lambda: busy.dispatcher.suspects)
            stage.redis.acl_setuser("default", enabled=True, commands=["-xclaim"])
            await eventually(lambda: busy.claims.outage.seconds)
        finally:
            stage.redis.acl_setuser("default", enabled=True, commands=["+xclaim"])
        assert not busy.dispatcher.queue.work
        gated.gate.set()
        await eventually(lambda: stage.settled)
    assert {n for n, _ in gated.ended} == set(range(120))


async def test_a_second_process_on_a_host_takes_nothing_from_the_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of a pod nothing tells that an earlier process is gone."""
    monkeypatch.delenv("HEADRACE_POD", raising=False)
    gated = Gated()
    async with staff(stage, gated, 1) as (first,):
        stage.send(*({"n": n} for n in range(8)))
        await eventually(lambda: first.dispatcher.running == 8)
        async with staff(stage, gated, 1) as (second,):
            await eventually(lambda: second.reader.reading)
            gated.gate.set()
            await eventually(lambda: stage.settled)
            assert second.metrics.counts["claimed"] == 0
    assert {consumer for _, consumer in gated.ended} == {first.settings.consumer}
