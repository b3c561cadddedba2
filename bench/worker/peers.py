"""Other people's consumers, each as its own documentation writes it, in a process and environment
of its own. Prints seconds from the first event handled to the last, and how many there were.

    .build/bench/peers/bin/python bench/worker/peers.py faststream 6379 5000
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter

PAYLOAD = {
    "carrier": "UA", "flight": 1545, "arr_delay": 11, "origin": "EWR", "dest": "IAH",
    "tailnum": "N14228", "year": 2013, "month": 1, "day": 1, "distance": 1400,
    "note": "0123456789",
}  # fmt: skip
BATCH = 100


class Clock:
    """Counts events; `done` is set at the last one."""

    def __init__(self, events: int) -> None:
        self.left = self.events = events
        self.started = self.ended = 0.0
        self.done = asyncio.Event()

    def count(self, events: int = 1) -> None:
        self.started = self.started or perf_counter()
        self.left -= events
        if self.left <= 0:
            self.ended = perf_counter()
            self.done.set()


def naive(port: int, events: int) -> float:
    """The article's loop: COUNT 10, a retry counter read, an XACK and a DEL per entry."""
    import redis

    r = redis.Redis(port=port, decode_responses=True)
    r.delete("naive")
    pipeline = r.pipeline(transaction=False)
    for number in range(events):
        pipeline.xadd("naive", {"type": "flight", "version": "1", "payload": json.dumps(PAYLOAD)})
        if number % 1000 == 999:
            pipeline.execute()
    pipeline.execute()
    r.xgroup_create("naive", "group", id="0")
    left, started = events, perf_counter()
    while left:
        results = r.xreadgroup("group", "consumer1", {"naive": ">"}, count=10, block=5000)
        for _, entries in results:
            for entry_id, fields in entries:
                int(r.hget(f"retries:{entry_id}", "count") or 0)
                json.loads(fields["payload"])
                r.xack("naive", "group", entry_id)
                r.delete(f"retries:{entry_id}")
                left -= 1
    return perf_counter() - started


async def faststream(port: int, events: int, *, batch: bool = False) -> float:
    """FastStream: a stream subscriber in a group, with a pydantic model."""
    from faststream.redis import RedisBroker, StreamSub
    from pydantic import BaseModel
    from redis.asyncio import Redis

    class Flight(BaseModel):
        carrier: str
        flight: int
        arr_delay: int

    name = "faststream-batch" if batch else "faststream"
    clock = Clock(events)
    broker = RedisBroker(f"redis://127.0.0.1:{port}", logger=None)
    sub = StreamSub(name, group="group", consumer="bench", batch=batch, max_records=BATCH)
    if batch:

        @broker.subscriber(stream=sub)
        async def many(flights: list[Flight]) -> None:
            clock.count(len(flights))
    else:

        @broker.subscriber(stream=sub)
        async def one(flight: Flight) -> None:
            clock.count()

    redis = Redis(port=port)
    await redis.delete(name)
    await redis.xgroup_create(name, "group", "0", mkstream=True)
    await broker.connect()
    await broker.publish(PAYLOAD, stream=name)
    (_, fields), *_ = await redis.xrange(name)
    await redis.xtrim(name, maxlen=0)
    for _ in range(0, events, 1000):
        pipeline = redis.pipeline(transaction=False)
        for _ in range(min(1000, events)):
            pipeline.xadd(name, fields)
        await pipeline.execute()
    await broker.start()
    await clock.done.wait()
    await broker.stop()
    return clock.ended - clock.started


async def taskiq(port: int, events: int) -> float:
    """taskiq-redis: RedisStreamBroker and taskiq's own receiver."""
    from taskiq.receiver import Receiver
    from taskiq_redis import RedisStreamBroker

    clock = Clock(events)
    broker = RedisStreamBroker(
        f"redis://127.0.0.1:{port}", queue_name="taskiq", xread_count=BATCH, consumer_id="0"
    )

    @broker.task
    async def handle(flight: dict[str, object]) -> None:
        clock.count()

    await broker.startup()
    for _ in range(events):
        await handle.kiq(PAYLOAD)
    broker.is_worker_process = True
    receiver = Receiver(broker, max_async_tasks=BATCH)
    finish = asyncio.Event()
    listening = asyncio.create_task(receiver.listen(finish))
    await clock.done.wait()
    finish.set()
    listening.cancel()
    return clock.ended - clock.started


async def arq(port: int, events: int) -> float:
    """arq: a worker over its own queue, 100 jobs at once."""
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker, func

    clock = Clock(events)

    async def handle(ctx: dict[object, object], flight: dict[str, object]) -> None:
        clock.count()

    settings = RedisSettings(port=port)
    pool = await create_pool(settings)
    for _ in range(events):
        await pool.enqueue_job("handle", PAYLOAD)
    worker = Worker(
        [func(handle, name="handle", keep_result=0)],
        redis_settings=settings, max_jobs=BATCH, queue_read_limit=BATCH,
        poll_delay=0.01, handle_signals=False,
    )  # fmt: skip
    running = asyncio.create_task(worker.async_run())
    await clock.done.wait()
    running.cancel()
    return clock.ended - clock.started


def main() -> None:
    import logging

    import uvloop

    logging.disable(logging.WARNING)
    name, port, events = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if name == "naive":
        print(naive(port, events))
        return
    contenders = {
        "faststream": lambda: faststream(port, events),
        "faststream_batch": lambda: faststream(port, events, batch=True),
        "taskiq": lambda: taskiq(port, events),
        "arq": lambda: arq(port, events),
    }
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(contenders[name]()))


if __name__ == "__main__":
    main()
