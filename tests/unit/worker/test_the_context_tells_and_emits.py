"""What a handler learns of its entry, and what leaves through `ctx.emit`."""

import json
import logging

import pytest

import headrace
from headrace import logs
from headrace.context import BatchContext, Context, HandlerEnvironment, UndeclaredOutput
from headrace.entry import Entry
from headrace.streams.entries import Record

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AROUND = HandlerEnvironment(
    stream="flights", group="delays", consumer="pod-a-1", outputs={"late": None, "{f}:x": 10}
)


def entry(*more: bytes) -> Entry:
    return Entry(b"5-1", [b"type", b"landed", b"version", b"1", b"payload", b"{}", *more])


def test_the_attempt_counts_failures_and_crashes() -> None:
    one = entry()
    assert Context(AROUND, one).attempt == 1
    one.record = Record(failures=2, crashes=1)
    one.delivery_count = 7
    context = Context(AROUND, one)
    assert (context.attempt, context.delivery_count, context.id) == (4, 7, "5-1")


def test_an_undeclared_output_is_refused_and_the_declared_ones_are_named() -> None:
    one = entry()
    with pytest.raises(UndeclaredOutput) as refusal:
        Context(AROUND, one).emit("early", headrace.Event("early", {}))
    assert str(refusal.value) == (
        "stream 'early' is no output of this group (declared: late, {f}:x); "
        "add it to spec.groups[].outputs"
    )
    assert one.outputs is None


def test_an_emitted_event_carries_its_cause_s_trace_on_unless_it_has_its_own() -> None:
    one = entry(b"traceparent", TRACE.encode())
    context = Context(AROUND, one)
    own = TRACE.replace("b7ad", "beef")
    context.emit("late", headrace.Event("late", 1))
    context.emit("late", headrace.Event("late", 1, traceparent=own))
    assert context.traceparent == TRACE
    assert [output.fields[-2:] for output in one.outputs or ()] == [
        [b"traceparent", TRACE.encode()],
        [b"traceparent", own.encode()],
    ]
    quiet = entry()
    Context(AROUND, quiet).emit("late", headrace.Event("late", 1))
    assert b"traceparent" not in (quiet.outputs or [])[0].fields


def test_a_log_line_of_a_handler_names_its_entry() -> None:
    record = logging.LogRecord("headrace.handler", logging.INFO, "", 0, "hello %s", ("you",), None)
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    keep = Keep()
    keep.setFormatter(logs.JsonLines())
    logger = logging.Logger("headrace.handler")
    logger.addHandler(keep)
    around = HandlerEnvironment(stream="flights", group="delays", consumer="c", logger=logger)
    Context(around, entry()).logger.info("hello %s", "you")
    BatchContext(around, [entry(), entry()]).logger.warning("all")
    first, second = map(json.loads, lines)
    assert first.pop("time") < second.pop("time") + "~"
    assert first == {
        "level": "info",
        "logger": "headrace.handler",
        "message": "hello you",
        "stream": "flights",
        "group": "delays",
        "id": "5-1",
        "attempt": 1,
    }
    assert second["batch"] == 2
    assert "hello you" in logs.PlainLines().format(record)


def test_log_lines_are_json_in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_POD", raising=False)
    monkeypatch.delenv("HEADRACE_LOG_FORMAT", raising=False)
    assert logs.default_style() == "plain"
    monkeypatch.setenv("HEADRACE_POD", "pod-a")
    assert logs.default_style() == "json"
    monkeypatch.setenv("HEADRACE_LOG_FORMAT", "plain")
    assert logs.default_style() == "plain"
