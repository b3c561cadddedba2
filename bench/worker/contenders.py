"""Headrace and the raw redis-py loop, each in a process of its own. Prints one line of JSON.

python -m bench.worker.contenders single 6379 bench group-1 100000
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic, perf_counter, process_time, time
from typing import Any

import uvloop
from pydantic import BaseModel
from redis.asyncio import Redis

import headrace
from headrace.worker.config import WorkerSettings
from headrace.worker.metrics import Metrics
from headrace.worker.runtime import Runtime
from headrace.worker.startup import prepare
from headrace_api.worker_config import WorkerConfig

BATCH = 100
WAIT_SECONDS, WAITING = 0.01, 64


class Flight(BaseModel):
    """The part of the payload that a handler asks for; the rest is validated as JSON."""

    carrier: str
    flight: int
    arr_delay: int


class Sent(BaseModel):
    """A payload with the time it was sent, for latencies."""

    sent: float


class Failing(Exception):
    """What every tenth event raises."""


App = tuple[headrace.App, dict[str, Any]]
"""The handlers and what differs from the plain configuration."""


def single() -> App:
    """An async handler for one event: validation, metrics, outcome, fence and lease."""
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        return

    return app, {}


def batch() -> App:
    """A batch handler of up to 100 events."""
    app = headrace.App()

    @app.batch("flight.landed", max_size=BATCH)
    async def landed(events: list[Flight], ctx: headrace.BatchContext) -> None:
        return

    return app, {}


def sync() -> App:
    """A sync handler, in threads."""
    app = headrace.App()

    @app.on("flight.landed")
    def landed(event: Flight, ctx: headrace.Context) -> None:
        return

    return app, {}


def dedup() -> App:
    """`single` with deduplication on: every event carries an id never seen before."""
    return single()[0], {"delivery": {"deduplicate": {"window": "60s"}}}


def outputs() -> App:
    """Every event emits one of the same size, written in the commit."""
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        ctx.emit("{bench}:out", headrace.Event("flight.late", event))

    return app, {"outputs": [{"stream": "{bench}:out", "maxLength": 1000}]}


def failing() -> App:
    """Every tenth event raises; with no retries left it becomes a dead letter."""
    app, count = headrace.App(), iter(range(1 << 40))

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        if next(count) % 10 == 0:
            raise Failing("every tenth")

    return app, {"delivery": {"maxRetries": 0}}


def waiting() -> App:
    """Handlers that wait 10 ms, 64 at once."""
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight) -> None:
        await asyncio.sleep(WAIT_SECONDS)

    return app, {"concurrency": WAITING}


def single_cluster() -> App:
    """`single` on a Cluster."""
    return single()[0], {"redis": {"mode": "Cluster"}}


def single_replicas() -> App:
    """`single` that waits until a replica has each commit."""
    return single()[0], {"delivery": {"replicas": 1}}


ALL = (single, batch, sync, dedup, outputs, failing, waiting, single_cluster, single_replicas)
HEADRACE = {one.__name__: one for one in ALL}


class Worker:
    """A Headrace worker in this process, on the bench's group."""

    def __init__(self, handlers: App, port: int, stream: str, group: str) -> None:
        app, changes = handlers
        self.metrics = Metrics()
        config = WorkerConfig.model_validate(
            {
                "namespace": "bench",
                "pipeline": "bench",
                "group": group,
                "consumerGroup": group,
                "stream": stream,
                "deadLetter": {"stream": "headrace:{bench}:dead", "maxLength": 1000},
                "batchSize": BATCH,
                "owner": {"key": "bench/bench", "uid": group},
                **changes,
                "redis": {"endpoints": [f"127.0.0.1:{port}"], **changes.get("redis", {})},
            }
        )
        self.runtime = Runtime(WorkerSettings.of(config), app, self.metrics)

    @property
    def settled(self) -> int:
        return sum(self.metrics.events.values())

    async def start(self) -> None:
        self.runtime.start()
        await prepare(self.runtime)
        self.runtime.read()

    async def until(self, events: int) -> None:
        while self.settled < events:
            await asyncio.sleep(0.002)


async def run_headrace(
    name: str, port: int, stream: str, group: str, events: int
) -> dict[str, float]:
    """Settle a known number of events."""
    worker = Worker(HEADRACE[name](), port, stream, group)
    await worker.start()
    while not worker.metrics.counts["reads"]:
        await asyncio.sleep(0)
    started, cpu = perf_counter(), process_time()
    await worker.until(events)
    measured = {"seconds": perf_counter() - started, "cpu": process_time() - cpu}
    await worker.runtime.stop(1.0)
    return measured


async def raw(port: int, stream: str, group: str, events: int) -> dict[str, float]:
    """redis-py as one would write it fast: COUNT 100, one XACK per batch, no decoding."""
    client = Redis(port=port, protocol=2)
    await client.ping()
    left, started, cpu = events, 0.0, 0.0
    while left:
        reply = await client.xreadgroup(group, "bench", {stream: ">"}, count=BATCH, block=1000)
        started, cpu = started or perf_counter(), cpu or process_time()
        for _, entries in reply:
            await client.xack(stream, group, *[id_ for id_, _ in entries])
            left -= len(entries)
    return {"seconds": perf_counter() - started, "cpu": process_time() - cpu}


async def share_raw(port: int, stream: str, group: str, _events: int) -> dict[str, float]:
    """`raw` as one of several processes: until the group has no more."""
    client = Redis(port=port, protocol=2)
    await client.ping()
    await _starting_signal(client)
    name, count, started, ended = f"raw-{perf_counter()}", 0, monotonic(), 0.0
    while True:
        reply = await client.xreadgroup(group, name, {stream: ">"}, count=BATCH, block=500)
        if not reply:
            return {"started": started, "ended": ended, "events": count}
        for _, entries in reply:
            await client.xack(stream, group, *[id_ for id_, _ in entries])
            count += len(entries)
        ended = monotonic()


async def share(port: int, stream: str, group: str, _events: int) -> dict[str, float]:
    """`single` as one of several processes: until the group has no more."""
    worker = Worker(single(), port, stream, group)
    worker.runtime.start()
    await prepare(worker.runtime)
    client = Redis(port=port)
    await _starting_signal(client)
    started = ended = monotonic()
    worker.runtime.read()
    count = 0
    while monotonic() - ended < 1.0:
        if worker.settled != count:
            count, ended = worker.settled, monotonic()
        await asyncio.sleep(0.005)
    await worker.runtime.stop(1.0)
    return {"started": started, "ended": ended, "events": count}


async def _starting_signal(client: Redis) -> None:
    await client.incr("bench:ready")
    while not await client.exists("bench:go"):
        await asyncio.sleep(0.005)


async def latency_raw(port: int, stream: str, group: str, events: int) -> dict[str, float]:
    """Seconds from sending to reading, in the raw loop."""
    client, late = Redis(port=port, protocol=2), []
    while len(late) < events:
        reply = await client.xreadgroup(group, "bench", {stream: ">"}, count=BATCH, block=1000)
        for _, entries in reply:
            for _, fields in entries:
                late.append(time() - json.loads(fields[b"payload"])["sent"])
            await client.xack(stream, group, *[id_ for id_, _ in entries])
    return _percentiles(late)


async def latency(port: int, stream: str, group: str, events: int) -> dict[str, float]:
    """Seconds from sending to the handler."""
    app, late = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: Sent) -> None:
        late.append(time() - event.sent)

    worker = Worker((app, {}), port, stream, group)
    await worker.start()
    await worker.until(events)
    await worker.runtime.stop(1.0)
    return _percentiles(late)


def _percentiles(late: list[float]) -> dict[str, float]:
    ordered = sorted(late[len(late) // 10 :])  # the first tenth warms up
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[len(ordered) * 99 // 100]}


async def memory(port: int, stream: str, group: str, events: int) -> dict[str, Any]:
    """Resident KiB after each pass over the stream; the group is set back to its start."""
    client = Redis(port=port)
    length = await client.xlen(stream)
    worker = Worker(single(), port, stream, group)
    await worker.start()
    samples = []
    for done in range(length, events + 1, length):
        await worker.until(done)
        samples.append(resident_kib())
        if done < events:
            await client.xgroup_setid(stream, group, "0")
            await client.client_unblock(worker.runtime.reader.client_id)  # it notices nothing
    settled = worker.settled
    await worker.runtime.stop(1.0)
    return {"samples": samples, "events": settled}


def resident_kib(pid: int | str = "self") -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


OTHERS: dict[str, Callable[[int, str, str, int], Awaitable[dict[str, Any]]]] = {
    one.__name__: one for one in (raw, share_raw, share, latency_raw, latency, memory)
}


def main() -> None:
    name, port, stream, group, events = sys.argv[1:6]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if name in HEADRACE:
            measured: dict[str, Any] = runner.run(
                run_headrace(name, int(port), stream, group, int(events))
            )
        else:
            measured = runner.run(OTHERS[name](int(port), stream, group, int(events)))  # type: ignore[arg-type]
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
