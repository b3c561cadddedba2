"""What the workers of a crash run do: write down each start and each end, outside of Redis.

A line is `<what> <seq> <consumer> <delivery count> <attempt> <seconds>`, one write() each on a file
opened to append, so that a SIGKILL cannot tear or lose it.
"""

from __future__ import annotations

import asyncio
import os
import time

from pydantic import BaseModel

import headrace

app = headrace.App()
RECORD = os.open(os.environ["CRASH_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
OUTPUT = os.environ["CRASH_OUTPUT"]


class Work(BaseModel):
    """`pause` in seconds; the first `fail` attempts raise."""

    seq: int
    pause: float = 0.0
    fail: int = 0


def note(what: str, seq: int, ctx: headrace.Context) -> None:
    line = f"{what} {seq} {ctx.consumer} {ctx.delivery_count} {ctx.attempt} {time.time():.6f}\n"
    os.write(RECORD, line.encode())


async def work(event: Work, ctx: headrace.Context) -> bool:
    note("start", event.seq, ctx)
    if event.pause:
        await asyncio.sleep(event.pause)
    if ctx.attempt <= event.fail:
        note("failure", event.seq, ctx)
        raise RuntimeError("fails on purpose")
    note("effect", event.seq, ctx)
    return True


@app.on("plain")
async def plain(event: Work, ctx: headrace.Context) -> None:
    await work(event, ctx)


@app.on("emit")
async def emit(event: Work, ctx: headrace.Context) -> None:
    await work(event, ctx)
    ctx.emit(OUTPUT, headrace.Event("out", {"seq": event.seq}))


@app.on("reject")
async def reject(event: Work, ctx: headrace.Context) -> None:
    await work(event, ctx)
    raise headrace.Reject("rejected on purpose")
