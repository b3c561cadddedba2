"""What the workers of a crash run do: write down each start and each end, outside of Redis.

A line is `<what> <seq> <consumer> <delivery count> <attempt> <seconds>`, one write() each on a file
opened to append, so that a SIGKILL cannot tear or lose it. Handlers obey `ctx.lost` as the
documentation says: they return early, for the result will be discarded.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel

import headrace
from tests.crash.endings import OUTPUT, draw
from tests.crash.workload import seq_of

app = headrace.App()
RECORD = os.open(os.environ["CRASH_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
HANG = os.environ["CRASH_HANG"]
"""A path: while it exists, what the handlers wait for does not answer."""
LIFESPAN = os.environ.get("CRASH_LIFESPAN", "short 0")
NAP_SECONDS = 0.02


class Work(BaseModel):
    """`pause` in seconds; the first `fail` attempts raise; `ending` seeds an odd end."""

    seq: int
    pause: float = 0.0
    fail: int = 0
    ending: int = 0


def note(what: str, ctx: headrace.Context) -> None:
    seq = seq_of(ctx.id.encode())
    line = f"{what} {seq} {ctx.consumer} {ctx.delivery_count} {ctx.attempt} {time.time():.6f}\n"
    os.write(RECORD, line.encode())


def hangs() -> bool:
    return os.path.exists(HANG)  # noqa: PTH110 - asked for each event


async def answered() -> None:
    while hangs():  # noqa: ASYNC110 - another process ends it
        await asyncio.sleep(NAP_SECONDS)


def end(event: Work, ctx: headrace.Context) -> None:
    if ctx.attempt <= event.fail:
        note("failure", ctx)
        raise RuntimeError("fails on purpose")
    note("effect", ctx)


async def work(event: Work, ctx: headrace.Context) -> None:
    note("start", ctx)
    if event.pause:
        await asyncio.sleep(event.pause)
    await answered()
    end(event, ctx)


def waited(seconds: float, ctx: headrace.Context) -> bool:
    """Take so long, in a thread; False when the entry was lost meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 or hangs():
        if ctx.lost:
            return False
        time.sleep(min(NAP_SECONDS, max(left, 0.001)))
    return not ctx.lost


@app.on("plain")
async def plain(event: Work, ctx: headrace.Context) -> None:
    await work(event, ctx)


@app.on("blob")
async def blob(event: bytes, ctx: headrace.Context) -> None:
    await work(Work(seq=0), ctx)


@app.on("emit")
async def emit(event: Work, ctx: headrace.Context) -> None:
    await work(event, ctx)
    ctx.emit(OUTPUT, headrace.Event("out", {"seq": event.seq}))


@app.on("reject")
async def reject(event: Work, ctx: headrace.Context) -> None:
    await work(event, ctx)
    raise headrace.Reject("rejected on purpose")


@app.on("sync")
def sync(event: Work, ctx: headrace.Context) -> None:
    if ctx.lost:
        return
    note("start", ctx)
    if waited(event.pause, ctx):
        end(event, ctx)


@app.batch("batch")
async def batch(events: list[Work], ctx: headrace.BatchContext) -> list[Exception | None]:
    for one in ctx:
        note("start", one)
    if pause := max(event.pause for event in events):
        await asyncio.sleep(pause)
    await answered()
    return [ended(event, one) for event, one in zip(events, ctx, strict=True)]


@app.batch("sync_batch")
def sync_batch(events: list[Work], ctx: headrace.BatchContext) -> list[Exception | None]:
    for one in ctx:
        if not one.lost:
            note("start", one)
    waited(max(event.pause for event in events), ctx[0])
    return [ended(event, one) for event, one in zip(events, ctx, strict=True)]


def ended(event: Work, ctx: headrace.Context) -> Exception | None:
    """The outcome of one event of a batch."""
    try:
        if not ctx.lost:
            end(event, ctx)
    except RuntimeError as failure:
        return failure
    return None


def end_oddly(event: Work, ctx: headrace.Context) -> Any:
    note("start", ctx)
    ending = draw(event.ending)
    odd = ctx.delivery_count <= event.fail  # not every odd end counts as an attempt
    if not odd or ending.at_once:
        note("effect", ctx)
    if not odd:
        return None
    if not ending.at_once:
        note("failure", ctx)
    return ending.act(ctx)


@app.on("odd")
async def odd(event: Work, ctx: headrace.Context) -> Any:
    return end_oddly(event, ctx)


@app.on("odd_sync")
def odd_sync(event: Work, ctx: headrace.Context) -> Any:
    return end_oddly(event, ctx)


@app.batch("odd_batch")
async def odd_batch(events: list[Work], ctx: headrace.BatchContext) -> Any:
    ending = None
    for event, one in zip(events, ctx, strict=True):
        note("start", one)
        note("effect", one)
        if one.delivery_count <= event.fail:
            ending = draw(event.ending)
    return ending.act(None) if ending else None


@app.lifespan
async def lifespan(_: headrace.App) -> AsyncIterator[None]:
    kind, seconds = LIFESPAN.split()
    await asyncio.sleep(float(seconds))
    if kind == "fails":
        raise RuntimeError("the lifespan fails on purpose")
    yield
    if kind == "fails_last":
        raise RuntimeError("the lifespan fails on purpose at its end")
