"""`headrace.testing`: outcomes, the clock, crashes, without Redis."""

import asyncio
import time

import pytest
from pydantic import BaseModel

import headrace
from headrace.testing import Attempt, Crash, Emitted, Harness

LATE = "{flights}:late"


class Flight(BaseModel):
    carrier: str
    arr_delay: int = 0


def event(carrier: str = "UA", arr_delay: int = 0) -> headrace.Event:
    return headrace.Event("flight.landed", Flight(carrier=carrier, arr_delay=arr_delay))


def app_of(handler) -> headrace.App:
    app = headrace.App()
    app.on("flight.landed")(handler)
    return app


async def test_a_success_is_done_and_its_outputs_are_seen() -> None:
    async def landed(flight: Flight, ctx: headrace.Context) -> None:
        ctx.emit(LATE, headrace.Event("flight.late", flight, id="1"))

    async with Harness(app_of(landed), outputs=[LATE]) as harness:
        result = await harness.feed(event())
        late = headrace.Event("flight.late", {"carrier": "UA", "arr_delay": 0}, id="1")
        assert result.attempts == [Attempt("done")]
        assert result.emitted == harness.emitted == [Emitted(LATE, late)]


@pytest.mark.parametrize(
    ("ending", "outcome", "error"),
    [
        (headrace.Skip(), "skipped", ""),
        (headrace.Reject("not ours"), "dead_lettered", "not ours"),
        (headrace.Retry("later", after=5), "retried", "later"),
    ],
)
async def test_outcomes_are_the_workers_own(ending, outcome: str, error: str) -> None:
    async def landed(flight: Flight) -> None:
        raise ending

    async with Harness(app_of(landed)) as harness:
        result = await harness.feed(event())
        assert (result.outcome, result.error) == (outcome, error)


async def test_what_does_not_validate_or_is_unknown_is_a_dead_letter_at_once() -> None:
    async def landed(flight: Flight) -> None: ...

    async with Harness(app_of(landed)) as harness:
        await harness.feed(headrace.Event("flight.landed", {"arr_delay": 1}))
        await harness.feed(headrace.Event("flight.left", {}))
        odd = await harness.feed_fields({b"some": b"thing"})
        first, second, third = harness.dead_letters
        assert first.error == "invalid payload: carrier: Field required"
        assert (second.error_type, third.error_type) == ("UnknownType", "UnknownType")
        assert third.fields == {b"some": b"thing"}
        assert odd.settled
    async with Harness(app_of(landed), delivery={"onUnknownType": "Skip"}) as harness:
        assert (await harness.feed(headrace.Event("flight.left", {}))).outcome == "skipped"


async def test_retries_wait_for_the_clock_and_end_as_a_dead_letter() -> None:
    attempts = []

    async def landed(flight: Flight, ctx: headrace.Context) -> None:
        attempts.append((ctx.attempt, ctx.delivery_count))
        raise headrace.Retry(after=10, counts=True)

    async with Harness(app_of(landed), delivery={"maxRetries": 2}) as harness:
        result = await harness.feed(event())
        await harness.advance(9.9)
        assert attempts == [(1, 1)]
        await harness.advance(0.1)
        assert attempts == [(1, 1), (2, 2)]
        assert await harness.finish() == 10
        assert attempts == [(1, 1), (2, 2), (3, 3)]
        assert [one.outcome for one in result.attempts] == ["retried", "retried", "dead_lettered"]
        (letter,) = harness.dead_letters
        assert (letter.attempts, letter.crashes) == (3, 0)


async def test_a_retry_that_waits_for_something_else_is_never_a_dead_letter() -> None:
    attempts = []

    async def landed(flight: Flight, ctx: headrace.Context) -> None:
        attempts.append((ctx.attempt, ctx.delivery_count))
        if len(attempts) < 20:
            raise headrace.Retry("rate limited", after=10)

    async with Harness(app_of(landed), delivery={"maxRetries": 2}) as harness:
        result = await harness.feed(event())
        assert await harness.finish() == 190
        assert attempts == [(1, n + 1) for n in range(20)]
        assert result.outcome == "done"


@pytest.mark.parametrize("after", [0, 3600])
async def test_a_test_of_a_handler_that_waits_for_ever_ends(after: float, monkeypatch) -> None:
    monkeypatch.setattr("headrace.testing.harness.MAX_STEPS", 50)

    async def landed(flight: Flight) -> None:
        raise headrace.Retry("rate limited", after=after)

    async with Harness(app_of(landed)) as harness:
        await harness.feed(event())
        with pytest.raises(RuntimeError, match="no maxRetries ends"):
            await harness.finish()


async def test_what_was_emitted_before_a_skip_is_written() -> None:
    async def landed(flight: Flight, ctx: headrace.Context) -> None:
        ctx.emit(LATE, headrace.Event("flight.late", 1))
        raise headrace.Skip("nothing more to do")

    async with Harness(app_of(landed), outputs=[LATE]) as harness:
        result = await harness.feed(event())
        assert result.emitted == [Emitted(LATE, headrace.Event("flight.late", 1))]


async def test_a_crash_before_the_commit_brings_the_event_again_after_min_idle() -> None:
    effects = []

    async def landed(flight: Flight) -> None:
        effects.append(flight.carrier)

    async with Harness(app_of(landed), delivery={"minIdle": "10s"}) as harness:
        harness.crash_before_commit()
        result = await harness.feed(event())
        assert (effects, result.outcome) == (["UA"], "crashed")
        await harness.advance(9)
        assert len(effects) == 1
        await harness.advance(1)
        assert (effects, result.outcome) == (["UA", "UA"], "done")


@pytest.mark.parametrize("in_thread", [False, True])
async def test_one_poison_event_among_good_ones_is_the_only_dead_letter(in_thread: bool) -> None:
    handled = []

    async def landed(flight: Flight) -> None:
        handle(flight)

    def handle(flight: Flight) -> None:
        if flight.carrier == "poison":
            raise Crash
        handled.append(flight.arr_delay)

    def landed_in_thread(flight: Flight) -> None:
        handle(flight)

    app = app_of(landed_in_thread if in_thread else landed)
    async with Harness(app, delivery={"maxCrashes": 2}) as harness:
        good = await harness.feed_many([event(arr_delay=n) for n in range(20)])
        bad = (await harness.feed_many([event("poison"), event(arr_delay=20)]))[0]
        await harness.finish()
        assert {one.outcome for one in good} == {"done"}
        assert set(handled) == set(range(21))
        (letter,) = harness.dead_letters
        assert (letter.id, letter.error_type, letter.crashes) == (bad.id, "Crash", 3)


async def test_a_batch_answers_for_each_event() -> None:
    app = headrace.App()

    @app.batch("flight.landed")
    async def landed(flights: list[Flight], ctx: headrace.BatchContext) -> list:
        return [headrace.Reject(f.carrier) if f.arr_delay else None for f in flights]

    async with Harness(app) as harness:
        results = await harness.feed_many([event(), event("AA", 1)])
        assert [one.outcome for one in results] == ["done", "dead_lettered"]


async def test_a_time_out_frees_the_slot() -> None:
    async def landed(flight: Flight) -> None:
        await asyncio.sleep(60)

    started = time.monotonic()
    delivery = {"handlerTimeout": "50ms", "maxRetries": 0}
    async with Harness(app_of(landed), delivery=delivery) as harness:
        result = await harness.feed(event())
    assert result.attempts[0].error_type == "HandlerTimeout"
    assert time.monotonic() - started < 30


async def test_a_handler_that_wants_redis_is_told_to_bring_one() -> None:
    async def landed(flight: Flight, ctx: headrace.Context) -> None:
        await ctx.redis.get("x")

    async with Harness(app_of(landed)) as harness:
        result = await harness.feed(event())
        assert "give it one with Harness(app, redis=client)" in result.error


async def test_the_lifespan_and_the_shutdown_flag_are_there() -> None:
    story = []

    async def landed(flight: Flight, ctx: headrace.Context) -> None:
        story.append(ctx.shutting_down)

    app = app_of(landed)

    @app.lifespan
    async def around(app: headrace.App):
        story.append("start")
        yield
        story.append("stop")

    async with Harness(app) as harness:
        harness.begin_shutdown()
        await harness.feed(event())
    assert story == ["start", True, "stop"]
    with pytest.raises(RuntimeError, match="use `async with Harness"):
        await Harness(app).feed(event())
