"""A trace goes through: producer, worker, output, and on to a collector."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.spans import spans
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import STREAM, Stage, worker, workers

import headrace

__all__ = ["spans"]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_producer_handler_and_output_are_one_trace(
    stage: Stage, spans: InMemorySpanExporter, kind: str
) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        ctx.emit("late", headrace.Event("flight.late", event))

    url = f"redis://{stage.server.endpoint}"
    other = "00-11111111111111111111111111111111-2222222222222222-01"
    events = [
        headrace.Event("flight.landed", {}),
        headrace.Event("flight.landed", {}, traceparent=other),
    ]
    with trace.get_tracer("test").start_as_current_span("request"):
        if kind == "async":
            async with headrace.Producer.from_url(url, STREAM) as producer:
                await producer.send_many(events)
        else:
            with headrace.SyncProducer.from_url(url, STREAM) as blocking:
                blocking.send_many(events)
    async with worker(stage, app, outputs=[{"stream": "late"}]):
        await eventually(lambda: stage.settled)
    request, first, second = spans.get_finished_spans()
    assert first.parent.span_id == request.context.span_id
    assert second.parent.span_id == 0x2222222222222222
    ids = [
        (trace.format_trace_id(c.trace_id), trace.format_span_id(c.span_id))
        for c in (first.context, second.context)
    ]
    written = [fields[b"traceparent"].decode() for _, fields in stage.redis.xrange("late")]
    assert sorted(tuple(one.split("-")[1:3]) for one in written) == sorted(ids)


async def test_a_producer_outside_of_spans_sends_no_trace(stage: Stage, spans) -> None:
    async with headrace.Producer.from_url(f"redis://{stage.server.endpoint}", STREAM) as producer:
        await producer.send(headrace.Event("flight.landed", {}))
    ((_, fields),) = stage.redis.xrange(STREAM)
    assert b"traceparent" not in fields


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """The endpoint of an OTLP collector, and what it was sent."""
    received: list[ExportTraceServiceRequest] = []

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", received
    server.shutdown()
    server.server_close()


HANDLERS = """
    @app.on("flight.landed")
    def landed(event: dict) -> None:
        effect("landed")
"""


def test_a_worker_sends_its_spans_where_the_environment_says(
    stage: Stage, collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    stage.send({"n": 1})
    with workers(stage, HANDLERS) as group:
        one = group.start()
        eventually_sync(lambda: stage.settled)
        one.process.terminate()
        assert one.process.wait(20) == 0
    (resource,) = (spans for request in received for spans in request.resource_spans)
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert attributes["service.name"] == "flights-delays"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == [
        "process flights"
    ]


def test_a_worker_that_cannot_trace_as_asked_ends_with_one_sentence(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with workers(stage, HANDLERS) as group:
        one = group.start()
        assert one.process.wait(20) == 2
        assert "by 'zipkin', which this image lacks" in one.text
        assert "Traceback" not in one.text


def test_a_pass_for_a_custom_group_has_no_handlers_to_trace(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with workers(stage, "") as group:
        del group.written["handler"]
        assert group.start("pod-a", "reclaim").process.wait(20) == 0
