"""The loops that bench/worker.py compares. Each runs in its own process and prints its seconds,
counted from the first delivery to the last acknowledgement.

    python -m bench.contenders raw 6379 bench group-1 100000
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter, process_time
from typing import NamedTuple

import uvloop
from pydantic import BaseModel
from redis.asyncio import Redis

import headrace
from headrace.worker.config import Settings
from headrace.worker.metrics import Metrics
from headrace.worker.runtime import Runtime
from headrace.worker.startup import prepare
from headrace_api.worker_config import WorkerConfig

BATCH = 100


class Measured(NamedTuple):
    """Wall-clock and processor seconds of the contender's own process."""

    wall: float
    cpu: float


class Flight(BaseModel):
    """The payload of the bench's events."""

    carrier: str
    flight: int
    arr_delay: int


async def raw(port: int, stream: str, group: str, events: int) -> Measured:
    """redis-py as the article would write it fast: COUNT 100, one XACK per batch, no decoding."""
    client = Redis(port=port, protocol=2)
    await client.ping()
    left, started, cpu = events, 0.0, 0.0
    while left:
        reply = await client.xreadgroup(group, "bench", {stream: ">"}, count=BATCH, block=1000)
        started, cpu = started or perf_counter(), cpu or process_time()
        for _, entries in reply:
            await client.xack(stream, group, *[id_ for id_, _ in entries])
            left -= len(entries)
    return Measured(perf_counter() - started, process_time() - cpu)


async def single(port: int, stream: str, group: str, events: int) -> Measured:
    """Headrace with a single-event async handler: validation, metrics, fence, lease."""
    app = headrace.App()

    @app.on("flight.landed", version=1)
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        return

    return await _headrace(app, port, stream, group, events)


async def batch(port: int, stream: str, group: str, events: int) -> Measured:
    """Headrace with a batch handler."""
    app = headrace.App()

    @app.batch("flight.landed", version=1, max_size=BATCH)
    async def landed(events: list[Flight], ctx: headrace.BatchContext) -> None:
        return

    return await _headrace(app, port, stream, group, events)


async def sync(port: int, stream: str, group: str, events: int) -> Measured:
    """Headrace with a sync handler, in threads."""
    app = headrace.App()

    @app.on("flight.landed", version=1)
    def landed(event: Flight, ctx: headrace.Context) -> None:
        return

    return await _headrace(app, port, stream, group, events)


async def _headrace(app: headrace.App, port: int, stream: str, group: str, events: int) -> Measured:
    config = WorkerConfig.model_validate(
        {
            "namespace": "bench",
            "pipeline": "bench",
            "group": group,
            "consumerGroup": group,
            "stream": stream,
            "redis": {"endpoints": [f"127.0.0.1:{port}"]},
            "deadLetter": {"stream": f"headrace:{{{stream}}}:dead:{stream}", "maxLength": 1000},
            "batchSize": BATCH,
            "owner": {"key": "bench/bench", "uid": group},
        }
    )
    metrics = Metrics()
    runtime = Runtime(Settings.of(config), app, metrics)
    runtime.start()
    await prepare(runtime)
    runtime.read()
    while not metrics.counts["reads"]:
        await asyncio.sleep(0)
    started, cpu = perf_counter(), process_time()
    while sum(metrics.events.values()) < events:
        await asyncio.sleep(0.005)
    measured = Measured(perf_counter() - started, process_time() - cpu)
    await runtime.stop(1.0)
    assert metrics.events["flight.landed/1", "done"] == events, metrics.events
    return measured


CONTENDERS = {"raw": raw, "single": single, "batch": batch, "sync": sync}


def main() -> None:
    name, port, stream, group, events = sys.argv[1:6]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(*runner.run(CONTENDERS[name](int(port), stream, group, int(events))))


if __name__ == "__main__":
    main()
