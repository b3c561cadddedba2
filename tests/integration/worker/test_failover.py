"""A failover behind a stable address: new connections reach the new primary, and those that stand
stay with the old one, which lives on as a replica."""

import asyncio
import json
from collections import Counter

from redis import Redis
from tests.crash.proxy import Proxy
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually
from tests.support.workers import DEAD, STREAM, Stage, worker

import headrace


class Pair:
    """A primary and a replica behind one address."""

    def __init__(self, first: RedisServer, second: RedisServer) -> None:
        self.first, self.second = Stage(first), Stage(second)
        self.proxy = Proxy(first.port, seed=1)
        self.address = f"127.0.0.1:{self.proxy.start()}"

    async def replicate(self) -> None:
        replica = self.second.redis
        replica.replicaof("127.0.0.1", self.first.server.port)
        await eventually(lambda: replica.info("replication")["master_link_status"] == "up")

    def fail_over(self) -> None:
        """Redis's part first; connections that are made from now on reach the new primary."""
        self.second.redis.replicaof("NO", "ONE")
        self.proxy.target_port = self.second.server.port
        self.first.redis.replicaof("127.0.0.1", self.second.server.port)


def send(redis: Redis, first: int, last: int) -> None:
    pipeline = redis.pipeline(transaction=False)
    for n in range(first, last):
        event = {"type": "flight.landed", "version": 1, "payload": json.dumps({"n": n})}
        pipeline.xadd(STREAM, event)
    pipeline.execute()


async def test_after_a_failover_behind_a_stable_address_the_worker_goes_on(
    redis_server: RedisServer,
) -> None:
    app, seen, gate = headrace.App(), Counter(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen[event["n"]] += 1
        if event["n"] >= 500:
            await gate.wait()

    with running(redis_server.kind) as a, running(redis_server.kind) as b:
        pair = Pair(a, b)
        redis = {"endpoints": [pair.address]}
        async with worker(pair.first, app, redis=redis, delivery={"minIdle": "5s"}) as runtime:
            await pair.replicate()
            send(pair.first.redis, 0, 600)
            await eventually(lambda: runtime.dispatcher.running == 16)
            pair.first.redis.wait(1, 5000)
            pair.fail_over()
            send(pair.second.redis, 600, 1000)
            gate.set()
            await eventually(lambda: len(seen) == 1000)
            await eventually(lambda: pair.second.settled)
        pair.proxy.stop()


async def test_dead_letters_alone_find_the_new_primary(redis_server: RedisServer) -> None:
    """A flush of nothing but dead letters acknowledges nothing before it has written them."""
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await gate.wait()
        raise headrace.Reject("bad")

    with running(redis_server.kind) as a, running(redis_server.kind) as b:
        pair = Pair(a, b)
        redis = {"endpoints": [pair.address]}
        async with worker(pair.first, app, redis=redis, delivery={"minIdle": "1h"}) as runtime:
            await pair.replicate()
            send(pair.first.redis, 0, 1)
            await eventually(lambda: runtime.dispatcher.running)
            pair.first.redis.wait(1, 5000)
            pair.fail_over()
            gate.set()
            await eventually(lambda: pair.second.redis.xlen(DEAD) == 1)
            await eventually(lambda: pair.second.settled)
            assert runtime.metrics.counts["commit_failures"] == 0
        pair.proxy.stop()


async def test_a_worker_that_ends_just_after_a_failover_leaves_no_consumer(
    redis_server: RedisServer,
) -> None:
    app, seen = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen.append(event["n"])

    with running(redis_server.kind) as a, running(redis_server.kind) as b:
        pair = Pair(a, b)
        async with worker(pair.first, app, redis={"endpoints": [pair.address]}):
            await pair.replicate()
            send(pair.first.redis, 0, 10)
            await eventually(lambda: len(seen) == 10 and pair.first.settled)
            pair.first.redis.wait(1, 5000)
            assert pair.second.consumers
            pair.fail_over()
        assert not pair.second.consumers
        pair.proxy.stop()
