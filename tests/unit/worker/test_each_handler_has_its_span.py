"""OpenTelemetry: a span around each handler, its cause from the entry, its trace in the outputs."""

import asyncio
import subprocess
import sys
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from tests.support.spans import spans
from tests.support.waiting import eventually

import headrace
from headrace.context import HandlerEnvironment
from headrace.testing import Crash, Harness
from headrace.worker.handling.tracing import trace_handlers
from headrace.worker.metrics import Metrics
from headrace.worker.routes import Routes

__all__ = ["spans"]

TRACE = "0af7651916cd43dd8448eb211c80319c"
CAUSE = f"00-{TRACE}-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"
EVENT = headrace.Event("flight.landed", {"n": 1}, traceparent=CAUSE)
NAMES = {"stream": "flights", "group": "delays"}


def app_of(function) -> headrace.App:
    app = headrace.App()
    app.on("flight.landed")(function)
    return app


def parent_of(traceparent: str) -> tuple[str, str]:
    _, trace, span, _ = traceparent.split("-")
    return trace, span


def ids_of(context) -> tuple[str, str]:
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


async def in_the_loop(event: dict, ctx: headrace.Context) -> None:
    ctx.emit("out", headrace.Event("out", 1))


def in_a_thread(event: dict, ctx: headrace.Context) -> None:
    ctx.emit("out", headrace.Event("out", 1))


def in_a_thread_then_the_loop(event: dict, ctx: headrace.Context) -> object:
    return in_the_loop(event, ctx)


EACH = pytest.mark.parametrize("function", [in_the_loop, in_a_thread, in_a_thread_then_the_loop])


@EACH
async def test_the_span_is_the_child_of_the_entrys_trace_and_says_what_is_processed(
    spans: InMemorySpanExporter, function
) -> None:
    async with Harness(app_of(function), outputs=["out"], **NAMES) as harness:
        result = await harness.feed(EVENT)
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("process flights", SpanKind.CONSUMER)
    assert ids_of(span.parent) == (TRACE, "b7ad6b7169203331")
    assert dict(span.attributes) == {
        "messaging.system": "redis",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "flights",
        "messaging.consumer.group.name": "delays",
        "messaging.client.id": "harness-1",
        "messaging.message.id": result.id,
        "headrace.handler": "flight.landed/1",
        "headrace.attempt": 1,
    }
    assert span.status.status_code is StatusCode.UNSET


@EACH
async def test_outputs_carry_the_span_on_unless_they_have_a_trace_of_their_own(
    spans: InMemorySpanExporter, function
) -> None:
    async with Harness(app_of(function), outputs=["out"]) as harness:
        (emitted,) = (await harness.feed(EVENT)).emitted
    (span,) = spans.get_finished_spans()
    assert parent_of(emitted.event.traceparent) == ids_of(span.context)
    assert emitted.event.traceparent.endswith("-01")

    async def with_its_own(event: dict, ctx: headrace.Context) -> None:
        ctx.emit("out", headrace.Event("out", 1, traceparent=OTHER))

    async with Harness(app_of(with_its_own), outputs=["out"]) as harness:
        (emitted,) = (await harness.feed(EVENT)).emitted
    assert emitted.event.traceparent == OTHER


async def test_a_span_that_the_handler_opens_is_a_child_and_its_outputs_carry_it(
    spans: InMemorySpanExporter,
) -> None:
    async def landed(event: dict, ctx: headrace.Context) -> None:
        with trace.get_tracer("mine").start_as_current_span("mine"):
            await asyncio.sleep(0)
            ctx.emit("out", headrace.Event("out", 1))

    async with Harness(app_of(landed), outputs=["out"]) as harness:
        results = await harness.feed_many([EVENT] * 3)
    mine = [one for one in spans.get_finished_spans() if one.name == "mine"]
    around = [one for one in spans.get_finished_spans() if one.name != "mine"]
    assert {one.parent.span_id for one in mine} == {one.context.span_id for one in around}
    sent = {parent_of(emitted.event.traceparent) for one in results for emitted in one.emitted}
    assert sent == {ids_of(one.context) for one in mine}


async def test_an_entry_without_a_trace_or_with_an_unreadable_one_begins_one(
    spans: InMemorySpanExporter,
) -> None:
    async def landed(event: dict) -> None: ...

    with trace.get_tracer("test").start_as_current_span("around the worker"):
        async with Harness(app_of(landed)) as harness:
            await harness.feed(headrace.Event("flight.landed", {}))
            await harness.feed(headrace.Event("flight.landed", {}, traceparent="00-zz"))
    roots = [one for one in spans.get_finished_spans() if one.name == "process stream"]
    assert [one.parent for one in roots] == [None, None]
    assert roots[0].context.trace_id != roots[1].context.trace_id


@pytest.mark.parametrize("returned", [False, True])
@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_failure_is_on_the_span_with_its_exception(
    spans: InMemorySpanExporter, returned: bool, in_thread: bool
) -> None:
    def fail(event: dict) -> object:
        if not returned:
            raise ValueError("no such airport")
        return headrace.Reject("no such airport")

    async def fail_async(event: dict) -> object:
        return fail(event)

    async with Harness(app_of(fail if in_thread else fail_async)) as harness:
        await harness.feed(EVENT)
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (
        StatusCode.ERROR,
        "no such airport",
    )
    (recorded,) = span.events
    kind = "Reject" if returned else "ValueError"
    assert span.attributes["error.type"] == kind
    assert recorded.name == "exception"
    assert recorded.attributes["exception.type"].endswith(kind)


async def test_a_skipped_event_is_no_failure(spans: InMemorySpanExporter) -> None:
    async def landed(event: dict) -> None:
        raise headrace.Skip("a test flight")

    async with Harness(app_of(landed)) as harness:
        assert (await harness.feed(EVENT)).outcome == "skipped"
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())


async def test_each_try_has_a_span_of_its_own(spans: InMemorySpanExporter) -> None:
    async def landed(event: dict, ctx: headrace.Context) -> None:
        if ctx.attempt == 1:
            raise headrace.Retry("later", after=5, counts=True)

    async with Harness(app_of(landed)) as harness:
        await harness.feed(EVENT)
        await harness.advance(5)
    first, second = spans.get_finished_spans()
    assert [one.attributes["headrace.attempt"] for one in (first, second)] == [1, 2]
    assert [one.status.status_code for one in (first, second)] == [
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    assert first.parent == second.parent


async def test_a_handler_that_ran_too_long_or_died_ends_its_span_as_failed(
    spans: InMemorySpanExporter,
) -> None:
    async def slow(event: dict) -> None:
        await asyncio.sleep(60)

    def deaf(event: dict, ctx: headrace.Context) -> None:
        while not ctx.lost:
            time.sleep(0.001)

    def dies(event: dict) -> None:
        raise Crash

    for function in (slow, deaf, dies):
        delivery = {"handlerTimeout": "50ms", "maxRetries": 0, "maxCrashes": 1}
        async with Harness(app_of(function), delivery=delivery) as harness:
            await harness.feed(EVENT)
    await eventually(lambda: len(spans.get_finished_spans()) == 3)  # a thread ends when it looks
    failed = {one.attributes.get("error.type"): one.status for one in spans.get_finished_spans()}
    assert {one.status_code for one in failed.values()} == {StatusCode.ERROR}
    assert failed.keys() == {"CancelledError", None, "Crash"}
    assert "the time-out has passed" in failed[None].description


async def test_a_batch_has_one_span_linked_to_each_of_its_events(
    spans: InMemorySpanExporter,
) -> None:
    app = headrace.App()

    @app.batch("flight.landed")
    async def landed(events: list[dict], ctx: headrace.BatchContext) -> list[Exception | None]:
        for one in ctx:
            one.emit("out", headrace.Event("out", 1))
        return [None, headrace.Reject("no such airport"), headrace.Skip()]

    events = [
        EVENT,
        headrace.Event("flight.landed", {}, traceparent=OTHER),
        headrace.Event("flight.landed", {}),
    ]
    async with Harness(app, outputs=["out"]) as harness:
        results = await harness.feed_many(events)
    assert [one.outcome for one in results] == ["done", "dead_lettered", "skipped"]
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert [
        (ids_of(one.context), one.attributes["messaging.message.id"]) for one in span.links
    ] == [(parent_of(CAUSE), results[0].id), (parent_of(OTHER), results[1].id)]
    assert span.attributes["messaging.batch.message_count"] == 3
    assert "messaging.message.id" not in span.attributes
    assert span.status.description == "1 of 3 events failed"
    assert span.attributes["error.type"] == "Reject"
    (emitted,) = results[0].emitted
    assert parent_of(emitted.event.traceparent) == ids_of(span.context)


async def test_without_a_tracer_provider_the_handlers_are_called_as_they_are() -> None:
    app = app_of(in_the_loop)
    routes = Routes(app, 30.0, Metrics())
    trace_handlers(routes.all, HandlerEnvironment(stream="flights", group="delays", consumer="c"))
    assert [route.handler for route in routes.all] == app.handlers


async def test_a_disabled_sdk_traces_nothing(
    spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    provider = type(trace.get_tracer_provider())()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    routes = Routes(app_of(in_the_loop), 30.0, Metrics())
    before = [route.handler for route in routes.all]
    trace_handlers(routes.all, HandlerEnvironment(stream="flights", group="delays", consumer="c"))
    assert [route.handler for route in routes.all] == before


def test_a_worker_that_is_not_asked_to_trace_loads_no_exporter() -> None:
    asked = (
        "import sys, headrace.worker.process as run; run.export_spans('flights-delays');"
        "parts = ('headrace.worker.handling.spans', 'opentelemetry.sdk.trace.export');"
        "print([name for name in sys.modules if name.startswith(parts)])"
    )
    run = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, env={}, check=True
    )
    assert run.stdout == "[]\n"
