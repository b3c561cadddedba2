"""Delivery, lease and commit of what a worker holds, when replies or entries get lost."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.crash.proxy import Proxy
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import GROUP, STREAM, Stage, worker

import headrace
from headrace.worker.intake.room import bound

OUT = "{flights}:out"
OUTPUTS = [{"stream": OUT}]
PATIENT = {"minIdle": "1h", "handlerTimeout": "60s"}


@contextlib.contextmanager
def proxy_before(stage: Stage) -> Iterator[Proxy]:
    proxy = Proxy(stage.server.port, seed=1)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


async def test_a_worker_holds_a_bounded_number_of_events_while_its_handlers_wait(
    stage: Stage,
) -> None:
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await gate.wait()

    stage.send(*({"n": n} for n in range(300)))
    async with worker(stage, app, concurrency=4, batchSize=10, delivery=PATIENT) as runtime:
        most = bound(4, 10, None)
        await eventually(lambda: len(runtime.holding) == most and not runtime.reader.reading)
        assert stage.pending <= most
        gate.set()
        await eventually(lambda: stage.settled)


async def test_a_handler_whose_entry_another_consumer_took_is_told_and_its_result_discarded(
    stage: Stage,
) -> None:
    app, told = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        await eventually(lambda: ctx.lost)
        ctx.emit(OUT, headrace.Event("out", event))
        told.append(event["n"])

    delivery = {"minIdle": "3s", "handlerTimeout": "60s"}
    async with worker(stage, app, outputs=OUTPUTS, delivery=delivery) as runtime:
        (taken,) = stage.send({"n": 1})
        await eventually(lambda: runtime.dispatcher.running)
        stage.redis.xclaim(STREAM, GROUP, "other", 0, [taken])
        await eventually(lambda: told == [1])
        await eventually(lambda: runtime.metrics.counts["lost"] == 1)
        assert stage.pending_of(b"other") == 1
        assert not stage.redis.exists(OUT)
        assert ("flight.landed/1", "done") not in +runtime.metrics.events
        stage.redis.xack(STREAM, GROUP, taken)


async def test_an_end_that_redis_has_before_a_busy_loop_hears_of_it_is_no_lost_lease(
    stage: Stage,
) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        time.sleep(0.02)  # noqa: ASYNC251 - a handler that blocks the loop

    stage.send(*({"n": n} for n in range(200)))
    async with worker(stage, app, delivery={"minIdle": "1s"}) as runtime:
        await eventually(lambda: stage.settled)
        counts = runtime.metrics.counts
        assert counts["leases_renewed"] > 0
        assert counts["leases_lost"] == counts["lost"] == 0


async def test_an_event_trimmed_while_its_handler_runs_has_its_outcome_written(
    stage: Stage,
) -> None:
    app, gate, outcomes = headrace.App(), asyncio.Event(), Counter()

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        await gate.wait()
        outcomes[event["n"]] += 1
        if event["n"] == 2:
            raise headrace.Reject("bad")
        ctx.emit(OUT, headrace.Event("out", event))

    async with worker(stage, app, outputs=OUTPUTS, delivery={"handlerTimeout": "60s"}) as runtime:
        stage.send({"n": 1}, {"n": 2})
        await eventually(lambda: runtime.dispatcher.running == 2)
        stage.redis.xtrim(STREAM, maxlen=0, approximate=False)
        counts = runtime.metrics.counts
        await eventually(lambda: counts["trimmed"] == 2)  # the lease saw it
        assert stage.pending == 0
        stage.send({"n": 3})
        await eventually(lambda: counts["leases_renewed"] >= 4)  # and looked again
        gate.set()
        await eventually(lambda: len(stage.dead) == 1)
        await eventually(lambda: stage.redis.xlen(OUT) == 2)
        assert counts["leases_lost"] == counts["lost"] == 0
    assert outcomes == {1: 1, 2: 1, 3: 1}
    assert stage.dead[0][b"f:payload"] == b'{"n": 2}'


@pytest.mark.parametrize("ends", ["before the next renewal", "after it"])
async def test_an_event_whose_trimming_was_told_in_a_lost_reply_has_its_outcome_written(
    stage: Stage, ends: str
) -> None:
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        await gate.wait()
        ctx.emit(OUT, headrace.Event("out", event))

    with proxy_before(stage) as proxy:
        redis = {"endpoints": [f"127.0.0.1:{proxy.port}"]}
        delivery = {"minIdle": "3s", "handlerTimeout": "60s"}
        async with worker(stage, app, outputs=OUTPUTS, redis=redis, delivery=delivery) as runtime:
            stage.send({"n": 1})
            counts = runtime.metrics.counts
            await eventually(lambda: counts["leases_renewed"])  # its connection stands
            proxy.withhold_replies()
            stage.redis.xtrim(STREAM, maxlen=0, approximate=False)
            if ends == "after it":
                await eventually(lambda: counts["trimmed"] or counts["leases_lost"])
            else:
                await eventually(lambda: not stage.pending)
            gate.set()
            await eventually(lambda: not len(runtime.holding))
            assert counts["leases_lost"] == 0
    assert stage.redis.xlen(OUT) == 1


@pytest.mark.parametrize("ending", ["output", "dead letter", "retry"])
async def test_an_event_trimmed_while_its_commit_is_under_way_has_its_outcome_written(
    stage: Stage, monkeypatch, ending: str
) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        if ending == "dead letter":
            raise headrace.Reject("bad")
        if ending == "retry":
            raise headrace.Retry(after=60)
        ctx.emit(OUT, headrace.Event("out", event))

    async with worker(stage, app, outputs=OUTPUTS, delivery=PATIENT) as runtime:
        commits, renewer = runtime.settler.commits, runtime.renewer
        send, renewed = commits.send, []

        async def send_late(packed):
            """The control connection is slow, for once; the lease's is not."""
            if not renewed:
                stage.redis.xtrim(STREAM, maxlen=0, approximate=False)
                renewal = asyncio.run_coroutine_threadsafe(
                    renewer._renew(runtime.settings.connect("control")), renewer._loop
                )
                await asyncio.wrap_future(renewal)
                renewed.append(True)
            return await send(packed)

        monkeypatch.setattr(commits, "send", send_late)
        monkeypatch.setattr(type(runtime.settler), "take_for_read", lambda self: None)
        stage.send({"n": 1})
        await eventually(lambda: renewed and not len(runtime.holding))
        counts = runtime.metrics.counts
        if ending == "retry":
            assert (counts["retries"], counts["trimmed"]) == (0, 2)
        elif ending == "dead letter":
            assert len(stage.dead) == 1
        else:
            assert stage.redis.xlen(OUT) == 1
        assert counts["lost"] == 0


async def test_a_delivery_whose_reply_was_lost_comes_again_before_anything_new_is_read(
    stage: Stage,
) -> None:
    app, seen = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        seen.append((event["n"], ctx.delivery_count))

    with proxy_before(stage) as proxy:
        redis = {"endpoints": [f"127.0.0.1:{proxy.port}"]}
        async with worker(stage, app, redis=redis, delivery=PATIENT) as runtime:
            await eventually(lambda: runtime.reader.reading)
            proxy.withhold_replies()
            stage.send({"n": 1})
            await eventually(lambda: stage.settled)
            assert runtime.metrics.counts["redis_errors"]
    assert seen == [(1, 1)]


async def test_a_commit_whose_reply_was_lost_counts_once(stage: Stage) -> None:
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await gate.wait()

    with proxy_before(stage) as proxy:
        redis = {"endpoints": [f"127.0.0.1:{proxy.port}"]}
        async with worker(stage, app, redis=redis, delivery=PATIENT) as runtime:
            stage.send({"n": 1})
            await eventually(lambda: runtime.dispatcher.running and runtime.reader.reading)
            proxy.withhold_replies()
            gate.set()
            await eventually(lambda: stage.settled)
            await eventually(lambda: runtime.metrics.counts["commits"] == 1)
            assert runtime.metrics.counts["redis_errors"]
            assert runtime.metrics.counts["lost"] == 0
            assert runtime.metrics.events["flight.landed/1", "done"] == 1


async def test_a_commit_does_not_wait_for_a_read_that_blocks(stage: Stage) -> None:
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await gate.wait()

    async with worker(stage, app, delivery=PATIENT) as runtime:
        stage.send({"n": 1})
        await eventually(lambda: runtime.dispatcher.running)
        reads = runtime.metrics.counts["reads"]
        await eventually(lambda: runtime.reader.reading)
        gate.set()
        await eventually(lambda: stage.settled)
        assert runtime.metrics.counts["reads"] == reads, "the commit rode in front of a read"


async def test_a_handler_that_blocks_the_loop_keeps_its_lease_until_it_hangs(
    stage: Stage, monkeypatch, caplog
) -> None:
    monkeypatch.setattr("headrace.worker.config.GRACE_BESIDE_HANDLER", 2.0)
    app, renewed = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        counts = runtime.metrics.counts
        eventually_sync(lambda: counts["leases_renewed"] >= 2)
        renewed.append(counts["leases_renewed"])
        eventually_sync(lambda: "leases are no longer renewed" in caplog.text)

    async with worker(stage, app, delivery={"handlerTimeout": "200ms"}) as runtime:
        stage.send({"n": 1})
        await eventually(lambda: stage.settled)
    assert renewed


async def test_a_server_that_forgets_the_scripts_is_told_them_again(stage: Stage) -> None:
    app, seen = headrace.App(), Counter()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen[event["n"]] += 1
        await asyncio.sleep(0)

    stage.send(*({"n": n} for n in range(3000)))
    async with worker(stage, app, batchSize=20) as runtime:
        for enough in range(300, 3001, 300):
            stage.redis.script_flush()
            await eventually(lambda enough=enough: len(seen) >= enough)
        await eventually(lambda: stage.settled)
        assert runtime.metrics.counts["lost"] == runtime.metrics.counts["redis_errors"] == 0
    assert seen == dict.fromkeys(range(3000), 1)


@pytest.mark.parametrize("skew", [-3600, 3600])
async def test_a_retry_falls_due_by_the_servers_clock(stage: Stage, monkeypatch, skew: int) -> None:
    clock, clock_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: clock() + skew)
    monkeypatch.setattr(time, "time_ns", lambda: clock_ns() + skew * 10**9)
    app, tries = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise headrace.Retry("not yet", after=0.5)

    stage.send({"n": 1})
    async with worker(stage, app):
        await eventually(lambda: len(tries) == 2)
        await eventually(lambda: stage.settled)
    assert tries[1] - tries[0] >= 0.5
