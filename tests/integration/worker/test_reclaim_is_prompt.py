"""What dead workers held comes back in one sweep, however it is spread and whatever is parked.

The looks at idle entries are five seconds apart here: a slice at each would take minutes.
"""

import time
from collections.abc import Callable

import pytest
from redis import Redis
from tests.support.waiting import eventually
from tests.support.workers import GROUP, STREAM, Stage, worker

import headrace

RETRY = f"headrace:{{{STREAM}}}:retry:{GROUP}:{STREAM}"


def orphan(redis: Redis, consumer: str, count: int) -> None:
    pipeline = redis.pipeline(transaction=False)
    for n in range(count):
        event = {"type": "flight.landed", "version": 1, "payload": f'{{"n": {n}}}'}
        pipeline.xadd(STREAM, event)
    ids = pipeline.execute()
    redis.xreadgroup(GROUP, consumer, {STREAM: ">"}, count=count)
    for start in range(0, count, 500):
        some = ids[start : start + 500]
        redis.xclaim(STREAM, GROUP, consumer, 0, some, idle=600_000, justid=True)


def one_consumer(redis: Redis) -> int:
    orphan(redis, "zz-dead-00000000", 1000)
    return 1000


def many_consumers(redis: Redis) -> int:
    for n in range(400):
        orphan(redis, f"zz-dead-{n:08x}", 1)
    return 400


def behind_parked(redis: Redis) -> int:
    orphan(redis, "other", 20_000)
    ids = [row["message_id"] for row in redis.xpending_range(STREAM, GROUP, "-", "+", 20_000)]
    later = time.time() * 1000 + 3_600_000
    for start in range(0, 20_000, 500):
        some = ids[start : start + 500]
        redis.xclaim(STREAM, GROUP, "headrace:parked", 0, some, justid=True)
        redis.zadd(RETRY, {b"m:" + id_: later for id_ in some})
    orphan(redis, "zz-dead-00000000", 1)
    return 1


@pytest.mark.parametrize("prepare", [one_consumer, many_consumers, behind_parked])
async def test_what_dead_workers_held_comes_back_in_one_sweep(
    stage: Stage, prepare: Callable[[Redis], int]
) -> None:
    app, seen = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen.append(event["n"])

    stage.redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    expected = prepare(stage.redis)
    async with worker(stage, app, delivery={"minIdle": "20s", "maxRetries": 5}) as runtime:
        await eventually(lambda: len(seen) == expected)
        assert runtime.metrics.counts["claimed"] == expected
    assert stage.dead == []


async def test_a_retry_comes_when_it_is_due(stage: Stage) -> None:
    app, tries = headrace.App(), {}

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        tries.setdefault(event["n"], []).append(time.monotonic())
        if len(tries[event["n"]]) == 1:
            raise headrace.Retry("soon", after=0.01)

    async with worker(stage, app):
        for n in range(15):
            stage.send({"n": n})
            await eventually(lambda n=n: len(tries.get(n, ())) == 2)
    delays = sorted(second - first for first, second in tries.values())
    assert delays[0] >= 0.01
    assert delays[7] <= 0.15, "looked at each second, half of them wait for half a second"
