"""One span around each call of a handler, by OpenTelemetry's conventions for messaging.

The span is a child of the entry's `traceparent`; that of a batch is a root, linked to each of its
entries. It ends when the handler does, so it neither waits for the commit nor knows its verdict.
Only a worker that traces imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context as TraceContext
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from headrace.context import BatchContext, Context, HandlerEnvironment
from headrace.event import Event
from headrace.handler import Handler
from headrace.outcomes import Skip, message_of, returned_ending
from headrace.traceparent import current_traceparent

_W3C = TraceContextTextMapPropagator()
_ROOT = TraceContext()
"""Whatever span surrounds the worker is no cause of an event."""

Begin = Callable[[Any], tuple[Span, Any]]
"""The handler's context -> its span, and the context that it gets instead."""


class TracedContext(Context):
    """A context whose outputs carry the current span on, and not the entry's own trace."""

    __slots__ = ()

    def emit(self, stream: str, event: Event) -> None:
        if event.traceparent is None and (current := current_traceparent()) is not None:
            event = replace(event, traceparent=current)
        super().emit(stream, event)


def traced(handler: Handler, tracer: Tracer, env: HandlerEnvironment) -> Handler:
    """The same handler, each of its calls in a span."""
    begin = (_begin_batch if handler.is_batch else _begin)(handler, tracer, env)
    function, wants_context = handler.function, handler.wants_context

    async def run(argument: Any, context: Any) -> Any:
        span, context = begin(context)
        with _current(span):
            result = await (function(argument, context) if wants_context else function(argument))
        _end(span, context, result)
        return result

    def run_in_thread(argument: Any, context: Any) -> Any:
        span, context = begin(context)
        with _current(span):
            result = function(argument, context) if wants_context else function(argument)
        if isawaitable(result):  # a plain function around an async one
            return _rest(span, context, result)
        _end(span, context, result)
        return result

    return replace(handler, function=run if handler.is_async else run_in_thread, wants_context=True)


def _begin(handler: Handler, tracer: Tracer, env: HandlerEnvironment) -> Begin:
    name, common = f"process {env.stream}", _attributes(handler, env)

    def begin(context: Context) -> tuple[Span, Context]:
        attributes = {
            **common,
            "messaging.message.id": context.id,
            "headrace.attempt": context.attempt,
        }
        cause = _cause(context)
        span = tracer.start_span(name, cause, kind=SpanKind.CONSUMER, attributes=attributes)
        return span, TracedContext(env, context._entry)

    return begin


def _begin_batch(handler: Handler, tracer: Tracer, env: HandlerEnvironment) -> Begin:
    name, common = f"process {env.stream}", _attributes(handler, env)

    def begin(batch: BatchContext) -> tuple[Span, BatchContext]:
        links = []
        for context in batch:
            cause = trace.get_current_span(_cause(context)).get_span_context()
            if cause.is_valid:
                links.append(Link(cause, {"messaging.message.id": context.id}))
        attributes = {**common, "messaging.batch.message_count": len(batch)}
        span = tracer.start_span(
            name, _ROOT, kind=SpanKind.CONSUMER, attributes=attributes, links=links
        )
        return span, BatchContext(env, [one._entry for one in batch], TracedContext)

    return begin


def _attributes(handler: Handler, env: HandlerEnvironment) -> dict[str, Any]:
    """What all spans of one handler have in common."""
    return {
        "messaging.system": "redis",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": env.stream,
        "messaging.consumer.group.name": env.group,
        "messaging.client.id": env.consumer,
        "headrace.handler": handler.label,
    }


def _cause(context: Context) -> TraceContext:
    """Where the entry's traceparent points; the root when it has none, or an unreadable one."""
    return _W3C.extract({"traceparent": context.traceparent or ""}, _ROOT)


@contextmanager
def _current(span: Span) -> Iterator[None]:
    """The span is the current one inside. An exception ends it; a return leaves it open."""
    with trace.use_span(span, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as ending:
            if not isinstance(ending, Skip):
                _fail(span, [ending], message_of(ending) or type(ending).__name__)
            span.end()
            raise


async def _rest(span: Span, context: Any, awaitable: Any) -> Any:
    with _current(span):
        result = await awaitable
    _end(span, context, result)
    return result


def _end(span: Span, context: Any, result: Any) -> None:
    """End the span of a handler that returned: perhaps an outcome, or a batch's list of them."""
    is_batch = isinstance(context, BatchContext)
    results = result if is_batch and isinstance(result, list) else [result]
    endings = [ending for one in results if (ending := returned_ending(one)) is not None]
    failures = [one for one in endings if not isinstance(one, Skip)]
    if any(one.lost for one in (context if is_batch else [context])):
        _fail(span, failures, "the result is discarded: the time-out has passed, or another has it")
    elif failures and is_batch:
        _fail(span, failures, f"{len(failures)} of {len(context)} events failed")
    elif failures:
        _fail(span, failures, str(failures[0]))
    span.end()


def _fail(span: Span, failures: list[BaseException], description: str) -> None:
    for one in failures:
        span.record_exception(one)
    if failures:
        span.set_attribute("error.type", type(failures[0]).__name__)
    span.set_status(Status(StatusCode.ERROR, description))
