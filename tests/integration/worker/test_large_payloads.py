"""Payloads of megabytes: what is held is bounded in bytes, and a slow line is no dead end."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.crash.proxy import Proxy
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import STREAM, Stage, worker, workers

import headrace

MEGABYTE = 1_000_000
MAX_RSS_MIB = 256


def send_large(stage: Stage, count: int, size: int) -> None:
    for n in range(count):
        stage.redis.xadd(
            STREAM, {"type": "large", "version": 1, "payload": b'"%d' % n + size * b"x" + b'"'}
        )


@pytest.mark.parametrize(
    ("count", "size", "bytes_per_second"),
    [(20, MEGABYTE, 3 * MEGABYTE), (2, 6 * MEGABYTE, MEGABYTE)],
    ids=["more than a time-out carries", "one takes longer than a time-out"],
)
async def test_over_a_slow_line_every_event_comes_once(
    stage: Stage, count: int, size: int, bytes_per_second: float
) -> None:
    app, tries = headrace.App(), Counter()

    @app.on("large")
    async def large(event: str) -> None:
        tries[event.partition("x")[0]] += 1
        if tries["0"] == 1 and event.startswith("0"):
            raise headrace.Retry("once more", after=0.01)  # comes over the control connection

    send_large(stage, count, size)
    proxy = Proxy(stage.server.port, seed=1, bytes_per_second=bytes_per_second)
    proxy.start()
    delivery = {"minIdle": "1h", "handlerTimeout": "60s"}
    redis = {"endpoints": [f"127.0.0.1:{proxy.port}"]}
    async with worker(stage, app, redis=redis, delivery=delivery) as runtime:
        await eventually(lambda: stage.settled, 60)
        assert runtime.metrics.counts["redis_errors"] == 0
        assert runtime.metrics.counts["handed_back"] == 0
    proxy.stop()
    assert tries == {"0": 2, **{str(n): 1 for n in range(1, count)}}


def peak_rss_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def test_with_payloads_of_five_megabytes_a_worker_stays_below_256_mebibytes() -> None:
    """Small events first: the sizes grow while the worker reads by the hundred."""
    handlers = """
        @app.on("flight.landed")
        async def landed(event: dict) -> None:
            pass

        @app.on("large")
        async def large(event: str) -> None:
            await asyncio.sleep(0.1)
    """
    with running() as server, workers(Stage(server), handlers) as group:
        stage = Stage(server)
        stage.send(*({"n": n} for n in range(3_000)))
        send_large(stage, 60, 5 * MEGABYTE)
        stage.send(*({"n": n} for n in range(300)))
        process = group.start()
        eventually_sync(lambda: stage.redis.exists(STREAM) and stage.redis.xinfo_groups(STREAM))
        eventually_sync(lambda: stage.settled, 90)
        assert peak_rss_mib(process.process.pid) <= MAX_RSS_MIB


async def test_large_retries_after_small_events_keep_to_the_bytes_that_may_be_held(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what falls due together, the mean size of late says nothing."""
    monkeypatch.setattr("headrace.worker.intake.room.HELD_BYTES", 4 * MEGABYTE)
    stage, app, gate, count = Stage(redis_server), headrace.App(), asyncio.Event(), 10

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        pass

    @app.on("large")
    async def large(event: str, ctx: headrace.Context) -> None:
        if ctx.delivery_count == 1:
            raise headrace.Retry(after=3600)
        await gate.wait()

    send_large(stage, count, MEGABYTE)
    async with worker(stage, app, delivery={"handlerTimeout": "60s", "minIdle": "1h"}) as runtime:
        counts, retry = runtime.metrics.counts, runtime.settings.keys.retry
        await eventually(lambda: counts["retries"] == count)
        stage.send(*({"n": n} for n in range(5_000)))
        await eventually(lambda: runtime.metrics.events["flight.landed/1", "done"] == 5_000)
        due: Any = stage.redis.zrange(retry, 0, -1)
        stage.redis.zadd(retry, dict.fromkeys(due, 0))
        await eventually(lambda: runtime.dispatcher.running)
        assert 0 < runtime.holding.size <= 4 * MEGABYTE
        assert stage.redis.zcard(retry)
        gate.set()
        await eventually(lambda: stage.settled)


async def test_an_event_larger_than_all_that_may_be_held_is_handled(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.worker.intake.room.HELD_BYTES", MEGABYTE)
    monkeypatch.setattr("headrace.worker.intake.reader.MAX_REPLY_BYTES", 2 * MEGABYTE)
    stage, app, seen = Stage(redis_server), headrace.App(), set()

    @app.on("large")
    async def large(event: str) -> None:
        await asyncio.sleep(0.01)
        seen.add(event.partition("x")[0])

    send_large(stage, 10, 3 * MEGABYTE)
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert seen == {str(n) for n in range(10)}
