"""Workers and Redis are killed, cut off, frozen; nothing is lost and nothing is settled twice."""

import asyncio
import signal
from collections import Counter

import pytest
from redis import Redis
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import DEAD, GROUP, STREAM, WAITING, Stage, numbers, worker, workers

import headrace


def test_entries_of_a_killed_worker_are_reclaimed(stage: Stage) -> None:
    with workers(stage, WAITING) as group:
        first = group.start("pod-a")
        eventually_sync(lambda: stage.redis.exists(STREAM) and stage.redis.xinfo_groups(STREAM))
        stage.send(*({"n": n, "seconds": 60} for n in range(20)))
        eventually_sync(lambda: len(group.effects) == 16)
        first.kill()
        assert stage.pending == 16  # what it had begun
        group.quicken()
        group.start("pod-b")
        eventually_sync(lambda: stage.settled)
    assert numbers(group.effects, "end") == dict.fromkeys(range(20), 1)
    assert stage.dead == []


def test_a_restarted_pod_takes_over_what_its_earlier_process_held_at_once(stage: Stage) -> None:
    with workers(stage, WAITING, delivery={"minIdle": "1h"}) as group:
        first = group.start("pod-a")
        eventually_sync(lambda: stage.redis.exists(STREAM) and stage.redis.xinfo_groups(STREAM))
        stage.send({"n": 1, "seconds": 60})
        eventually_sync(lambda: len(group.effects) == 1)
        first.kill()
        group.quicken()
        second = group.start("pod-a")
        eventually_sync(lambda: stage.settled)
    assert "took over 1 entries" in second.text


def test_one_poison_event_among_99_good_ones_is_exactly_one_dead_letter(stage: Stage) -> None:
    handlers = """
        @app.on("flight.landed")
        async def landed(event: dict) -> None:
            if event["n"] == 50:
                os._exit(9)
            effect(f"end {event['n']}")
    """
    with workers(stage, handlers, delivery={"maxCrashes": 2}) as group:
        stage.send(*({"n": n} for n in range(100)))
        process = group.start("pod-a")

        def settled() -> bool:
            nonlocal process
            if process.process.poll() is not None:
                process = group.start("pod-a")
            return stage.settled

        eventually_sync(settled, 60)
    (letter,) = stage.dead
    assert letter[b"f:payload"] == b'{"n": 50}'
    assert letter[b"error_type"] == b"Crash"
    assert set(numbers(group.effects, "end")) == set(range(100)) - {50}


def test_a_frozen_worker_cannot_settle_what_another_has_taken(stage: Stage) -> None:
    handlers = """
        @app.on("flight.landed")
        async def landed(event: dict, ctx: headrace.Context) -> None:
            effect(f"start {event['n']} {ctx.consumer}")
            await asyncio.sleep(1)
            ctx.emit("{flights}:out", headrace.Event("out", ctx.consumer))
            effect(f"end {event['n']} {ctx.consumer}")
    """
    # A time-out that the freeze cannot reach on a busy machine: the zombie shall go on.
    delivery = {"handlerTimeout": "60s"}
    with workers(
        stage, handlers, outputs=[{"stream": "{flights}:out"}], delivery=delivery
    ) as group:
        zombie = group.start("pod-a")
        eventually_sync(lambda: stage.redis.exists(STREAM) and stage.redis.xinfo_groups(STREAM))
        stage.send({"n": 1})
        eventually_sync(lambda: len(group.effects) == 1)
        zombie.signal(signal.SIGSTOP)
        group.start("pod-b")
        eventually_sync(lambda: stage.settled)
        zombie.signal(signal.SIGCONT)
        eventually_sync(lambda: len(group.effects) == 4)
        zombie.signal(signal.SIGTERM)
        assert zombie.process.wait(20) == 0
    ((_, output),) = stage.redis.xrange("{flights}:out")
    assert output[b"payload"].startswith(b'"pod-b')


async def test_entries_whose_delivery_never_reached_us_are_handed_back(stage: Stage) -> None:
    app, seen = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen.append(event["n"])

    async with worker(stage, app) as runtime:
        await eventually(lambda: runtime.reader.reading)
        # Redis delivers to this worker's name; the reply goes elsewhere.
        with stage.redis.pipeline(transaction=True) as both:
            both.xadd(STREAM, {"type": "flight.landed", "version": 1, "payload": '{"n": 1}'})
            both.xreadgroup(GROUP, runtime.settings.consumer, {STREAM: ">"}, count=10)
            _, delivered = both.execute()
        assert delivered
        await eventually(lambda: seen == [1])
        await eventually(lambda: stage.settled)
        assert runtime.metrics.counts["handed_back"] == 1
    assert stage.dead == []


async def test_connections_cut_again_and_again_lose_nothing(stage: Stage) -> None:
    app, seen = headrace.App(), Counter()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen[event["n"]] += 1

    stage.send(*({"n": n} for n in range(5000)))
    async with worker(stage, app):
        for _ in range(10):
            await asyncio.sleep(0.02)
            stage.redis.client_kill_filter(_type="normal", skipme=True)
        await eventually(lambda: stage.settled)
    assert set(seen) == set(range(5000))
    assert stage.dead == []


async def test_a_restarted_redis_is_carried_on_with(redis_server: RedisServer) -> None:
    with running(redis_server.kind, "--appendonly", "yes", "--appendfsync", "always") as server:
        stage, app, seen = Stage(server), headrace.App(), Counter()

        @app.on("flight.landed")
        async def landed(event: dict) -> None:
            seen[event["n"]] += 1
            await asyncio.sleep(0.001)

        stage.send(*({"n": n} for n in range(1000)))
        async with worker(stage, app) as runtime:
            await eventually(lambda: len(seen) > 100)
            server.kill()
            await eventually(lambda: runtime.reader.outage.seconds > 0)
            server.start()
            await eventually(lambda: stage.settled)
        assert set(seen) == set(range(1000))


def wrong_type(redis: Redis) -> None:
    redis.set(DEAD, "no stream")


def full(redis: Redis) -> None:
    redis.config_set("maxmemory", "1")


def no_right(redis: Redis) -> None:
    keys = (f"~{STREAM}", "~headrace:{flights}:*:delays:flights")
    redis.execute_command("ACL", "SETUSER", "default", "resetkeys", *keys)


def heal(redis: Redis) -> None:
    redis.execute_command("ACL", "SETUSER", "default", "allkeys")
    redis.config_set("maxmemory", "0")
    redis.delete(DEAD)


@pytest.mark.parametrize(
    ("refuse", "word"), [(wrong_type, "WRONGTYPE"), (full, "OOM"), (no_right, "NOPERM")]
)
async def test_a_dead_letter_that_cannot_be_written_leaves_the_entry_pending(
    stage: Stage, monkeypatch, caplog, refuse, word: str
) -> None:
    monkeypatch.setattr("headrace.worker.settling.refusals.PAUSE_SECONDS", 0.1)
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await gate.wait()
        raise headrace.Reject("bad")

    try:
        async with worker(stage, app) as runtime:
            stage.send({"n": 1})
            await eventually(lambda: runtime.dispatcher.running)
            refuse(stage.redis)
            gate.set()
            await eventually(lambda: runtime.metrics.counts["commit_failures"] > 1)
            assert stage.pending == 1
            assert f"cannot be settled as dead_letter: {word}" in caplog.text
            heal(stage.redis)
            await eventually(lambda: stage.settled)
    finally:
        assert [letter[b"error"] for letter in stage.dead] == [b"bad"]
