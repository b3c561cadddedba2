"""What becomes of an event: by its handler's ending, its payload, its type."""

import asyncio
import threading
import time

import pytest
from pydantic import BaseModel
from tests.support.waiting import eventually
from tests.support.workers import STREAM, Stage, worker

import headrace


class Flight(BaseModel):
    carrier: str
    arr_delay: int


FLIGHT = {"carrier": "UA", "arr_delay": 11}


async def test_every_event_is_handled_once_and_acknowledged(stage: Stage) -> None:
    app, seen = headrace.App(), []

    @app.on("flight.landed", version=1)
    async def landed(event: Flight) -> None:
        seen.append(event.arr_delay)

    stage.send(*({"carrier": "UA", "arr_delay": n} for n in range(1000)))
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert sorted(seen) == list(range(1000))
    assert stage.consumers == set()


async def test_events_sent_while_the_stream_is_quiet_arrive_at_once(stage: Stage) -> None:
    app, arrived = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: Flight) -> None:
        arrived.append(time.monotonic())

    async with worker(stage, app) as runtime:
        await eventually(lambda: runtime.reader.reading)
        sent = time.monotonic()
        stage.send(FLIGHT)
        await eventually(lambda: stage.settled)
    assert arrived[0] - sent < 1.0


async def test_a_failing_event_is_tried_again_with_back_off_then_dead_lettered(
    stage: Stage,
) -> None:
    app, attempts = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        attempts.append(ctx.attempt)
        raise ValueError("no such airport")

    (sent,) = stage.send(FLIGHT)
    async with worker(stage, app):
        await eventually(lambda: stage.dead)
        await eventually(lambda: stage.settled)
    assert attempts == [1, 2, 3]
    (letter,) = stage.dead
    assert letter[b"original_id"] == sent
    assert letter[b"attempts"] == b"3"
    assert letter[b"error_type"] == b"ValueError"
    assert b"no such airport" in letter[b"error"]
    assert letter[b"f:payload"] == b'{"carrier": "UA", "arr_delay": 11}'


async def test_a_failing_event_that_recovers_is_acknowledged(stage: Stage) -> None:
    app, attempts = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            raise ConnectionError("the other side is away")

    stage.send(FLIGHT)
    async with worker(stage, app):
        await eventually(lambda: len(attempts) == 2)
        await eventually(lambda: stage.settled)
    assert stage.dead == []
    assert stage.redis.keys("headrace:*failures*") == []


async def test_an_invalid_payload_is_a_dead_letter_at_once_with_a_readable_reason(
    stage: Stage,
) -> None:
    app, seen = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: Flight) -> None:
        seen.append(event)

    stage.send({"carrier": "UA", "arr_delay": None}, b"{", FLIGHT)
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert len(seen) == 1
    first, second = stage.dead
    assert first[b"error"] == b"invalid payload: arr_delay: Input should be a valid integer"
    assert first[b"error_type"] == b"InvalidPayload"
    assert second[b"error"].startswith(b"invalid payload: Invalid JSON")


@pytest.mark.parametrize(("policy", "letters"), [("DeadLetter", 3), ("Skip", 0)])
async def test_an_unknown_type_ends_by_policy(stage: Stage, policy: str, letters: int) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight) -> None: ...

    stage.send(FLIGHT, type="flight.left")
    stage.send(FLIGHT, version=2)
    stage.redis.xadd(STREAM, {"some": "thing"})
    async with worker(stage, app, delivery={"onUnknownType": policy}):
        await eventually(lambda: stage.settled)
    assert len(stage.dead) == letters
    if letters:
        assert stage.dead[0][b"error"] == b"no handler for type 'flight.left' version '1'"
        assert stage.dead[2][b"error"] == b"no handler for an entry without a type field"


async def test_reject_skip_and_retry_decide_the_end(stage: Stage) -> None:
    app, tries = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        if event.carrier == "reject":
            raise headrace.Reject("not ours")
        if event.carrier == "skip":
            raise headrace.Skip
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise headrace.Retry(after=0.5)

    stage.send(*({"carrier": name, "arr_delay": 1} for name in ("reject", "skip", "retry")))
    async with worker(stage, app) as runtime:
        await eventually(lambda: stage.settled)
        events = runtime.metrics.events
        await eventually(lambda: events["flight.landed/1", "done"] == 1)
    assert [letter[b"error"] for letter in stage.dead] == [b"not ours"]
    assert events["flight.landed/1", "skipped"] == 1
    assert events["flight.landed/1", "retried"] == 1
    assert tries[1] - tries[0] >= 0.5


async def test_a_batch_handler_decides_per_event(stage: Stage) -> None:
    app, sizes = headrace.App(), []

    @app.batch("flight.landed", max_size=10)
    async def landed(events: list[Flight], ctx: headrace.BatchContext) -> list[object]:
        sizes.append(len(events))
        return [headrace.Reject("odd") if event.arr_delay % 2 else None for event in events]

    stage.send(*({"carrier": "UA", "arr_delay": n} for n in range(40)))
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert sum(sizes) == 40
    assert max(sizes) <= 10
    assert len(stage.dead) == 20


async def test_a_batch_with_the_wrong_number_of_outcomes_is_tried_again(stage: Stage) -> None:
    app, calls = headrace.App(), []

    @app.batch("flight.landed", max_size=10)
    async def landed(events: list[Flight]) -> list[object] | None:
        calls.append(len(events))
        return [None] * 99 if len(calls) == 1 else None

    stage.send(FLIGHT)
    async with worker(stage, app):
        await eventually(lambda: len(calls) == 2)
        await eventually(lambda: stage.settled)
    assert stage.dead == []


async def test_a_sync_handler_runs_in_a_thread(stage: Stage) -> None:
    app, threads = headrace.App(), set()

    @app.on("flight.landed")
    def landed(event: Flight) -> None:
        threads.add(threading.current_thread().name)

    stage.send(*[FLIGHT] * 50)
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert threads
    assert all(name.startswith("handler-") for name in threads)


async def test_slow_handlers_run_side_by_side_up_to_concurrency(stage: Stage) -> None:
    app, running, most = headrace.App(), 0, 0

    @app.on("flight.landed")
    async def landed(event: Flight) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    stage.send(*[FLIGHT] * 64)
    async with worker(stage, app, concurrency=8):
        await eventually(lambda: stage.settled)
    assert most == 8


async def test_raw_handlers_get_the_field_map(stage: Stage) -> None:
    app, seen = headrace.App(), []

    @app.raw
    async def anything(fields: dict[str, bytes]) -> None:
        seen.append(fields)

    stage.redis.xadd(STREAM, {"some": b"\xff\x00"})
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert seen == [{"some": b"\xff\x00"}]


async def test_a_registered_deserializer_reads_payloads_that_are_no_json(stage: Stage) -> None:
    app, seen = headrace.App(), []

    @app.deserializer("flight.landed")
    def read(payload: bytes) -> dict[str, object]:
        carrier, delay = payload.decode().split(";")
        return {"carrier": carrier, "arr_delay": delay}

    @app.on("flight.landed")
    async def landed(event: Flight) -> None:
        seen.append(event)

    stage.send(b"UA;11", b"UA")
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert seen == [Flight(carrier="UA", arr_delay=11)]
    assert stage.dead[0][b"error"].startswith(b"invalid payload: ValueError")


async def test_emitted_events_are_written_only_by_a_success(stage: Stage) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        ctx.emit("{flights}:late", headrace.Event("flight.late", event))
        if ctx.attempt == 1:
            raise ValueError

    stage.send(FLIGHT)
    async with worker(stage, app, outputs=[{"stream": "{flights}:late"}]):
        await eventually(lambda: stage.settled and stage.redis.xlen("{flights}:late"))
    ((_, fields),) = stage.redis.xrange("{flights}:late")
    assert fields[b"type"] == b"flight.late"
    assert fields[b"payload"] == b'{"carrier":"UA","arr_delay":11}'


async def test_the_lifespan_surrounds_the_handlers(stage: Stage) -> None:
    app, story = headrace.App(), []

    @app.lifespan
    async def around(app: headrace.App):
        story.append("start")
        yield
        story.append("stop")

    async with app.running():
        story.append("work")
    assert story == ["start", "work", "stop"]


async def test_an_outcome_that_is_returned_by_a_slip_counts_as_raised(stage: Stage) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight) -> object:
        return headrace.Reject("not ours") if event.arr_delay else "anything else is no outcome"

    stage.send(FLIGHT, {**FLIGHT, "arr_delay": 0})
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert [letter[b"error"] for letter in stage.dead] == [b"not ours"]


async def test_a_plain_function_around_an_async_handler_is_awaited(stage: Stage) -> None:
    app, seen = headrace.App(), []

    async def landed(event: Flight) -> None:
        await asyncio.sleep(0)
        seen.append(event)

    @app.on("flight.landed")
    def wrapped(event: Flight) -> object:
        return landed(event)

    stage.send(FLIGHT)
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert len(seen) == 1


async def test_a_sync_handler_has_a_blocking_client_of_the_same_redis(stage: Stage) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    def landed(event: Flight, ctx: headrace.Context) -> None:
        ctx.blocking_redis.incr("landed")

    stage.send(*[FLIGHT] * 20)
    async with worker(stage, app):
        await eventually(lambda: stage.settled)
    assert stage.redis.get("landed") == b"20"


async def test_types_that_no_handler_takes_share_one_label(stage: Stage) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight) -> None: ...

    stage.send(FLIGHT)
    for number in range(50):
        stage.send(FLIGHT, type=f"made-up-{number}")
    async with worker(stage, app) as runtime:
        await eventually(lambda: stage.settled)
        await eventually(lambda: sum(runtime.metrics.events.values()) == 51)
        assert runtime.metrics.events == {
            ("flight.landed/1", "done"): 1,
            ("unknown", "dead_lettered"): 50,
        }


async def test_an_undeclared_output_fails_the_event_and_names_the_declared_ones(
    stage: Stage,
) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: Flight, ctx: headrace.Context) -> None:
        ctx.emit("early", headrace.Event("flight.early", event))

    stage.send(FLIGHT)
    async with worker(stage, app, outputs=[{"stream": "{flights}:late"}]):
        await eventually(lambda: stage.settled)
    (letter,) = stage.dead
    assert letter[b"error_type"] == b"UndeclaredOutput"
    assert b"(declared: {flights}:late); add it to spec.groups[].outputs" in letter[b"error"]
