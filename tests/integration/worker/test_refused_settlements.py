"""What Redis or the commit refuses concerns its own entry: the others are settled, the group goes
on, and what the worker holds stays bounded."""

import asyncio
import math

import pytest
from redis import Redis
from tests.support.waiting import eventually
from tests.support.workers import DEAD, GROUP, STREAM, Stage, runtime_of, worker

import headrace
from headrace.worker.intake.room import bound
from headrace.worker.runtime import Runtime
from headrace.worker.startup import prepare

OUT = "{flights}:out"
OUTPUTS = [{"stream": OUT}]
RETRY = f"headrace:{{{STREAM}}}:retry:{GROUP}:{STREAM}"


class Emitter:
    """`emits` writes an output, `flight.landed` none."""

    def __init__(self) -> None:
        self.app = headrace.App()
        self.seen: list[int] = []

        @self.app.on("emits")
        async def emits(event: dict, ctx: headrace.Context) -> None:
            ctx.emit(OUT, headrace.Event("out", event))

        @self.app.on("flight.landed")
        async def landed(event: dict) -> None:
            self.seen.append(event["n"])


def forbid(redis: Redis) -> None:
    keys = (f"~{STREAM}", "~headrace:{flights}:*")
    redis.execute_command("ACL", "SETUSER", "default", "resetkeys", *keys)


def occupy(redis: Redis) -> None:
    redis.set(OUT, "somebody's string")


@pytest.mark.parametrize(
    ("spoil", "word"), [(occupy, b"WRONGTYPE"), (forbid, b"NOPERM")], ids=["WRONGTYPE", "NOPERM"]
)
async def test_an_output_that_can_never_be_written_makes_a_dead_letter_and_stops_nobody(
    stage: Stage, spoil, word: bytes
) -> None:
    emitter = Emitter()
    try:
        async with worker(stage, emitter.app, outputs=OUTPUTS) as runtime:
            spoil(stage.redis)
            for n in range(0, 500, 5):
                stage.send({"n": n}, type="emits")
                stage.send(*({"n": n + more} for more in range(1, 5)))
            await eventually(lambda: stage.settled)
            assert runtime.ready() is None
    finally:
        stage.redis.execute_command("ACL", "SETUSER", "default", "allkeys")
    assert len(emitter.seen) == 400
    assert len(stage.dead) == 100
    assert stage.dead[0][b"error_type"] == b"Refused"
    assert word in stage.dead[0][b"error"]


@pytest.mark.parametrize(
    ("spoil", "word"), [(occupy, "holds a string"), (forbid, "NOPERM")], ids=["type", "right"]
)
async def test_an_output_that_cannot_be_written_is_told_at_the_start(
    stage: Stage, caplog, spoil, word: str
) -> None:
    emitter = Emitter()
    spoil(stage.redis)
    try:
        stage.send({"n": 1})
        async with worker(stage, emitter.app, outputs=OUTPUTS):
            await eventually(lambda: emitter.seen == [1])
    finally:
        stage.redis.execute_command("ACL", "SETUSER", "default", "allkeys")
    (line,) = [line for line in caplog.messages if line.startswith(f"output {OUT} ")]
    assert word in line


async def test_a_key_of_ours_that_holds_another_type_is_told_at_the_start(
    stage: Stage, caplog
) -> None:
    emitter = Emitter()
    stage.redis.set(DEAD, "somebody's string")
    stage.send({"n": 1})
    starting = asyncio.create_task(started(stage, emitter.app))
    await eventually(lambda: f"start: key '{DEAD}' holds a string, not a stream" in caplog.text)
    stage.redis.delete(DEAD)
    await (await starting).stop(1.0)


async def started(stage: Stage, app: headrace.App) -> Runtime:
    runtime = runtime_of(stage, app)
    runtime.start()
    await prepare(runtime)
    return runtime


async def test_on_a_full_server_an_event_with_outputs_is_parked_and_comes_again(
    stage: Stage,
) -> None:
    emitter = Emitter()
    async with worker(stage, emitter.app, outputs=OUTPUTS) as runtime:
        stage.send({"n": 1}, type="emits")
        await eventually(lambda: stage.settled)
        await eventually(lambda: runtime.reader.reading)
        with stage.redis.pipeline(transaction=True) as both:
            event = {"type": "emits", "version": 1, "payload": '{"n": 2}'}
            both.xadd(STREAM, event)
            both.config_set("maxmemory", "1")
            both.execute()
        try:
            await eventually(lambda: stage.redis.zcard(RETRY) == 1)
            await eventually(lambda: len(runtime.holding) == 0)  # Redis knows it first
        finally:
            stage.redis.config_set("maxmemory", "0")
        await eventually(lambda: stage.settled)
    assert stage.redis.xlen(OUT) == 2
    assert stage.dead == []


async def test_what_cannot_even_be_parked_is_held_within_the_bound_and_the_worker_says_so(
    stage: Stage, monkeypatch
) -> None:
    monkeypatch.setattr("headrace.worker.settling.settler.REFUSED_SECONDS", 0.05)
    monkeypatch.setattr("headrace.worker.runtime.AWAY_SECONDS", 0.5)
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        raise headrace.Retry("later")

    stage.send(*({"n": n} for n in range(1000)))
    async with worker(stage, app, concurrency=4, batchSize=10) as runtime:
        await eventually(lambda: runtime.metrics.counts["retries"] > 0)
        stage.redis.set(RETRY, "somebody's string")
        await eventually(lambda: runtime.metrics.counts["commit_failures"] > 500)
        # And what one read brings that counted on these leaving, and what one claim may.
        assert len(runtime.holding) <= bound(4, 10, 0.0) + 10 + 4
        await eventually(lambda: "WRONGTYPE" in (runtime.ready() or ""))
        stage.redis.delete(RETRY)
        await eventually(lambda: not runtime.settler.postponed.entries)
        assert runtime.ready() is None


async def test_an_unknown_entry_of_many_fields_becomes_a_whole_dead_letter(stage: Stage) -> None:
    fields = {"type": "unknown", **{f"field-{n}": str(n) for n in range(5_000)}}
    emitter = Emitter()
    stage.redis.xadd(STREAM, fields)
    stage.send({"n": 1})
    async with worker(stage, emitter.app):
        await eventually(lambda: stage.settled)
    assert emitter.seen == [1]
    (letter,) = stage.dead
    assert letter[b"f:field-7"] == b"7"
    assert b"field-4999" in letter[b"packed_fields"]


@pytest.mark.parametrize("after", [math.inf, math.nan, 1e300], ids=str)
async def test_a_number_that_cannot_be_written_fails_its_own_event_only(
    stage: Stage, after: float
) -> None:
    app, seen = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        if event["n"] == 1:
            retry = headrace.Retry("soon")
            retry.after = after
            raise retry
        seen.append(event["n"])

    stage.send(*({"n": n} for n in range(20)))
    async with worker(stage, app) as runtime:
        await eventually(lambda: stage.settled)
        assert not runtime.failed.is_set()
    assert len(seen) == 19
    (letter,) = stage.dead
    assert letter[b"f:payload"] == b'{"n": 1}'


async def test_an_output_that_cannot_be_packed_fails_its_own_event_only(stage: Stage) -> None:
    app, seen = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        ctx.emit(OUT, headrace.Event("out", event))
        if event["n"] == 1:
            ctx._entry.outputs[0].fields = [object()]
        if event["n"] == 3:
            seen.set()

    stage.send(*({"n": n} for n in range(4)))
    async with worker(stage, app, outputs=OUTPUTS) as runtime:
        await eventually(lambda: stage.settled)
        assert not runtime.failed.is_set()
    assert stage.redis.xlen(OUT) == 3
    assert stage.redis.xlen(DEAD) == 1
