"""`delivery.replicas`: an event counts as done once so many replicas have its end."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator

from tests.integration.worker.test_failover import Pair, send
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually
from tests.support.workers import Stage, worker

import headrace
from headrace.worker.runtime import Runtime

AT_ONCE = ("--repl-diskless-sync-delay", "0")
ASKED = {"replicas": 1, "minIdle": "1h"}


def counting(seen: Counter[int]) -> headrace.App:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen[event["n"]] += 1

    return app


@contextlib.asynccontextmanager
async def pair(kind: str) -> AsyncIterator[Pair]:
    """A primary and its replica, behind one address."""
    with running(kind, *AT_ONCE) as first, running(kind, *AT_ONCE) as second:
        both = Pair(first, second)
        await both.replicate()
        yield both
        both.proxy.stop()


def done(runtime: Runtime) -> int:
    return sum(count for (_, how), count in runtime.metrics.events.items() if how == "done")


async def test_what_no_replica_has_stays_held_and_is_told_once(
    redis_server: RedisServer, caplog
) -> None:
    seen: Counter[int] = Counter()
    async with pair(redis_server.kind) as both:
        redis = {"endpoints": [both.address]}
        # Leases are renewed meanwhile: what is settled and held is not taken for lost.
        asked = {**ASKED, "minIdle": "1s"}
        async with worker(both.first, counting(seen), redis=redis, delivery=asked) as runtime:
            send(both.first.redis, 0, 10)
            await eventually(lambda: done(runtime) == 10)
            replica = both.second.server.process
            assert replica is not None
            replica.send_signal(signal.SIGSTOP)
            try:
                send(both.first.redis, 10, 11)
                await eventually(lambda: runtime.settler.outage.seconds > 2)
                assert "0 of 1 replicas have it" in runtime.settler.outage.reason
                # A new connection has written nothing that its WAIT would wait for.
                both.first.redis.client_kill_filter(_type="normal", skipme=True)
                asked_before = runtime.metrics.counts["redis_errors"]
                await eventually(lambda: runtime.metrics.counts["redis_errors"] > asked_before + 3)
                assert both.first.settled
                assert (done(runtime), len(runtime.holding)) == (10, 1)
            finally:
                replica.send_signal(signal.SIGCONT)
            await eventually(lambda: done(runtime) == 11)
            assert not runtime.holding.snapshot()
            assert runtime.metrics.counts["leases_lost"] == 0
    assert set(seen.values()) == {1}
    assert caplog.text.count("0 of 1 replicas have it") <= 2  # again after the lost connection


async def test_what_a_new_primary_does_not_know_is_committed_there_and_not_handled_again(
    redis_server: RedisServer,
) -> None:
    seen: Counter[int] = Counter()
    async with pair(redis_server.kind) as both:
        redis = {"endpoints": [both.address]}
        gate = asyncio.Event()
        app = headrace.App()

        @app.on("flight.landed")
        async def landed(event: dict) -> None:
            seen[event["n"]] += 1
            await gate.wait()

        async with worker(both.first, app, redis=redis, delivery=ASKED) as runtime:
            send(both.first.redis, 0, 10)
            await eventually(lambda: runtime.dispatcher.running == 10)
            both.first.redis.wait(1, 5000)
            # From here on the replica learns nothing more: it knows the delivery, not its end.
            both.second.redis.replicaof("NO", "ONE")
            gate.set()
            await eventually(lambda: both.first.settled and runtime.settler.outage.seconds > 0)
            assert both.second.pending == 10
            both.fail_over()
            await eventually(lambda: done(runtime) == 10)
            assert both.second.settled
            assert runtime.metrics.counts["handed_back"] == 0
    assert dict(seen) == dict.fromkeys(range(10), 1)


async def test_a_worker_starts_when_there_is_a_replica(redis_server: RedisServer) -> None:
    kind = redis_server.kind
    with running(kind, *AT_ONCE) as first, running(kind, *AT_ONCE) as second:
        both = Pair(first, second)
        seen: Counter[int] = Counter()
        starting = asyncio.create_task(_handle_one(both, seen))
        stage = Stage(first)
        await eventually(lambda: stage.redis.exists("flights"))
        assert not seen
        await both.replicate()
        await starting
        both.proxy.stop()
    assert seen == {0: 1}


async def _handle_one(both: Pair, seen: Counter[int]) -> None:
    redis = {"endpoints": [both.address]}
    async with worker(both.first, counting(seen), redis=redis, delivery=ASKED) as runtime:
        send(both.first.redis, 0, 1)
        await eventually(lambda: done(runtime) == 1)
