"""What slots and their dispatcher keep apart, and what they cost."""

import asyncio
import contextvars
import gc
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

import headrace
from headrace.context import HandlerEnvironment
from headrace.testing import Harness
from headrace.testing.memory import Group
from headrace.testing.process import Process
from headrace.worker.handling.contexts import run_in
from headrace.worker.settling.decision import Policy

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")
POLICY = Policy(max_retries=0, max_crashes=1, backoff_initial=1, backoff_max=1)


def async_app(seen: list[str]) -> headrace.App:
    app = headrace.App()

    @app.on("t")
    async def handle(event: str) -> None:
        seen.append(tenant.get())
        tenant.set(event)
        await asyncio.sleep(0)
        assert tenant.get() == event
        tenant.set(f"{event} still")

    return app


def sync_app(seen: list[str]) -> headrace.App:
    app = headrace.App()

    @app.on("t")
    def handle(event: str) -> None:
        seen.append(tenant.get())
        tenant.set(event)

    return app


def batch_app(seen: list[str]) -> headrace.App:
    app = headrace.App()

    @app.batch("t", max_size=1)
    async def handle(events: list[str]) -> None:
        seen.append(tenant.get())
        tenant.set(events[0])

    return app


@pytest.mark.parametrize("make", [async_app, sync_app, batch_app])
async def test_no_event_sees_the_context_variables_of_another(make) -> None:
    seen: list[str] = []
    async with Harness(make(seen), concurrency=2) as harness:
        for _ in range(3):
            results = await harness.feed_many(headrace.Event("t", f"n{n}") for n in range(50))
            assert {one.outcome for one in results} == {"done"}
    assert seen == ["nobody"] * 150


async def test_a_context_of_its_own_lets_time_outs_and_exceptions_through() -> None:
    context = contextvars.copy_context()

    async def late() -> None:
        tenant.set("late")
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    async def cancelled(started: asyncio.Event) -> str:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return tenant.get()
        return ""

    with pytest.raises(TimeoutError):
        await run_in(context, late())
    started = asyncio.Event()
    task = asyncio.ensure_future(run_in(context, cancelled(started)))
    await started.wait()
    task.cancel()
    assert await task == "late"
    assert tenant.get() == "nobody"


async def test_arithmetic_on_decimals_is_no_change_of_context() -> None:
    app, sums = headrace.App(), []

    @app.on("t")
    async def handle(event: Decimal) -> None:
        sums.append(event / 3 + 1)

    async with Harness(app) as harness:
        await harness.feed_many(headrace.Event("t", f"{n}.5") for n in range(10))
        slots = harness._running.dispatcher.slots
        assert not any(slot._calls._isolates for slot in slots)
    assert len(sums) == 10


async def wave(concurrency: int, events: int) -> float:
    """CPU seconds for making the slots, and for events that all wait at once."""
    app, running = headrace.App(), []
    all_run, gate = asyncio.Event(), asyncio.Event()

    @app.on("t")
    async def handle(event: int) -> None:
        running.append(event)
        if len(running) == min(concurrency, events):
            all_run.set()
        await gate.wait()

    async def measured(work: Callable[[], Awaitable[None]]) -> float:
        # What other tests left on the heap must not count: each collection would walk it.
        gc.collect()
        gc.disable()
        started = time.process_time()
        try:
            await work()
            return time.process_time() - started
        finally:
            gc.enable()

    async def life() -> None:
        group = Group(1_700_000_000_000)
        process = Process(
            app,
            group,
            HandlerEnvironment("s", "g", "c"),
            POLICY,
            handler_timeout=60,
            concurrency=concurrency,
            on_end=lambda *_: None,
        )
        await asyncio.sleep(0)
        for n in range(events):
            group.add([b"type", b"t", b"version", b"1", b"payload", b"%d" % n])
        entries = [headrace.entry.Entry(*one) for one in group.read("c")]
        work = asyncio.ensure_future(process.run(entries))
        await all_run.wait()
        gate.set()
        await work
        await process.end()

    return await measured(life)


async def test_a_thousand_times_the_slots_cost_in_proportion() -> None:
    few = min([await wave(500, 500) for _ in range(3)])
    many = await wave(8_000, 8_000)
    assert many < 16 * few * 5, (few, many)
