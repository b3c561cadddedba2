"""A mistake in a handler shows when the worker starts, in one sentence, and not at an event."""

import functools
import math
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

import pytest
from pydantic import BaseModel

import headrace
from headrace.handler import invalid_payload


class Flight(BaseModel):
    carrier: str
    arr_delay: int


async def takes_nothing() -> None: ...


async def takes_three(event: Flight, ctx: headrace.Context, more: int) -> None: ...


async def yields(event: Flight):
    yield event


def yields_in_a_thread(event: Flight):
    yield event


async def takes_a_switch(event: Flight, dry_run=False) -> None: ...


async def takes_a_model(event: Flight, other: Flight) -> None: ...


async def takes_a_batch(event: Flight, ctx: headrace.BatchContext) -> None: ...


async def needs_a_keyword(event: Flight, *, db) -> None: ...


class Owner:
    async def landed(self, event: Flight) -> None: ...

    async def with_context(self, event: Flight, ctx: headrace.Context) -> None: ...


class Emits(Protocol):
    def emit(self, stream: str, event: headrace.Event) -> None: ...


async def takes_a_protocol(event: Flight, ctx: Emits) -> None: ...


async def may_be_called_without(event: Flight, ctx: headrace.Context | None = None) -> None: ...


async def says_nothing(event, ctx) -> None: ...


async def has_a_switch(event: Flight, *, dry_run: bool = False) -> None: ...


@pytest.mark.parametrize(
    ("function", "wants_context"),
    [
        (Owner().landed, False),
        (Owner().with_context, True),
        (takes_a_protocol, True),
        (may_be_called_without, True),
        (says_nothing, True),
        (has_a_switch, False),
        (functools.partial(takes_a_switch, dry_run=True), False),
    ],
)
def test_the_second_parameter_is_the_context(function, wants_context: bool) -> None:
    app = headrace.App()
    app.on("flight.landed")(function)
    assert [handler.wants_context for handler in app.handlers] == [wants_context]


@pytest.mark.parametrize("decorator", ["on", "batch", "deserializer"])
def test_a_decorator_without_its_call_is_refused(decorator: str) -> None:
    with pytest.raises(headrace.HandlerError, match=rf'write @app.{decorator}\("the.type"\) above'):
        getattr(headrace.App(), decorator)(takes_nothing)
    with pytest.raises(headrace.HandlerError, match="must be a text such as"):
        getattr(headrace.App(), decorator)("")


def test_a_lifespan_that_is_no_async_generator_and_an_async_deserializer_are_refused() -> None:
    @asynccontextmanager
    async def wrapped(app):
        yield

    for function in (takes_nothing, wrapped):
        with pytest.raises(headrace.HandlerError, match="with one yield, without @async"):
            headrace.App().lifespan(function)
    with pytest.raises(headrace.HandlerError, match="plain def, not async"):
        headrace.App().deserializer("flight.landed")(takes_nothing)


@pytest.mark.parametrize(
    ("function", "options", "sentence"),
    [
        (takes_nothing, {}, "takes_nothing takes 0 parameters; a handler takes (event) or"),
        (takes_three, {}, "takes_three takes 3 parameters"),
        (yields, {}, "yields is a generator (it holds a yield); a handler returns"),
        (yields_in_a_thread, {}, "yields_in_a_thread is a generator"),
        (takes_nothing, {"timeout": 0}, "timeout=0: give more than 0 seconds"),
        (takes_nothing, {"timeout": timedelta(seconds=-1)}, "give more than 0 seconds"),
        (takes_nothing, {"timeout": math.nan}, "timeout=nan: give more than 0 seconds"),
        (takes_nothing, {"timeout": "30s"}, "timeout='30s': give seconds or a timedelta"),
        (takes_nothing, {"version": "1"}, "version='1' must be a whole number"),
        (takes_nothing, {"version": 1.0}, "version=1.0 must be a whole number"),
        (takes_nothing, {"version": True}, "version=True must be a whole number"),
        (takes_nothing, {"version": -1}, "version=-1 must be a whole number"),
        (
            takes_a_switch,
            {},
            "'dry_run' of takes_a_switch would get the context; write ctx: headrace.Context, or put"
            " it behind a star: (event, *, dry_run=False)",
        ),
        (takes_a_model, {}, "'other' of takes_a_model would get the context"),
        (takes_a_batch, {}, "'ctx' of takes_a_batch would get the context; write ctx: headrace.C"),
        (needs_a_keyword, {}, "needs_a_keyword needs the keyword 'db', which nobody gives"),
        (Owner.landed, {}, "Owner.landed is a method without its object"),
    ],
)
def test_what_cannot_handle_an_event_is_refused(function, options, sentence: str) -> None:
    with pytest.raises(headrace.HandlerError) as refusal:
        headrace.App().on("flight.landed", **options)(function)
    assert sentence in str(refusal.value)


def test_a_type_and_version_is_handled_once_and_another_version_is_another() -> None:
    app = headrace.App()

    @app.on("flight.landed", version=1)
    async def first(event: dict) -> None: ...

    @app.on("flight.landed", version=2)
    async def second(event: dict) -> None: ...

    with pytest.raises(headrace.HandlerError, match=r"first handles .flight\.landed. version 1"):
        app.batch("flight.landed", version=1)(second)


def test_a_batch_handler_says_what_its_list_holds() -> None:
    async def one(event: Flight) -> None: ...

    with pytest.raises(headrace.HandlerError, match=r"takes a list, for example list\[Flight\]"):
        headrace.App().batch("flight.landed")(one)
    with pytest.raises(headrace.HandlerError, match="max_size=0"):
        headrace.App().batch("flight.landed", max_size=0)
    for linger in (-1, 61, math.nan, timedelta(hours=1)):
        with pytest.raises(headrace.HandlerError, match="give 0 to 60 seconds"):
            headrace.App().batch("flight.landed", linger=linger)


def test_a_deserializer_stands_before_its_handlers() -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict) -> None: ...

    with pytest.raises(headrace.HandlerError, match="before its handlers"):
        app.deserializer("flight.landed")(bytes)


class Message:
    """A class that pydantic does not know, as Protobuf's are."""


def test_a_class_that_pydantic_does_not_know_is_what_its_deserializer_returns() -> None:
    async def landed(event: Message) -> None: ...

    app = headrace.App()
    with pytest.raises(headrace.HandlerError) as refusal:
        app.on("flight.landed")(landed)
    assert "landed: JSON cannot become" in str(refusal.value)
    assert "register @app.deserializer('flight.landed') before this handler" in str(refusal.value)

    message = Message()
    app.deserializer("flight.landed")(lambda payload: message if payload else None)
    app.on("flight.landed")(landed)
    assert app.handlers[0].decode(b"any") is message
    with pytest.raises(ValueError, match="Input should be an instance of Message"):
        app.handlers[0].decode(b"")


def test_async_is_seen_also_behind_a_call_method_and_a_partial() -> None:
    class Landed:
        async def __call__(self, event: Flight) -> None: ...

    async def bound(event: Flight, ctx: headrace.Context) -> None: ...

    app = headrace.App()
    app.on("a")(Landed())
    app.on("b")(functools.partial(bound))
    assert [handler.is_async for handler in app.handlers] == [True, True]
    for handler in app.handlers:
        payload = b'{"carrier": "UA", "arr_delay": 1}'
        assert handler.decode(payload) == Flight(carrier="UA", arr_delay=1)


@pytest.mark.parametrize(
    ("annotation", "payload", "value"),
    [
        (Flight, b'{"carrier":"UA","arr_delay":11}', Flight(carrier="UA", arr_delay=11)),
        (dict, b'{"n": 1}', {"n": 1}),
        (int, b"7", 7),
        (bytes, b"\xff", b"\xff"),
        (list[Flight], b"[]", []),
    ],
)
def test_the_annotation_says_what_the_payload_becomes(annotation, payload, value) -> None:
    app = headrace.App()

    def handler(event) -> None: ...

    handler.__annotations__["event"] = annotation
    app.on("any")(handler)
    assert app.handlers[0].decode(payload) == value


def test_the_reason_for_a_dead_letter_names_fields_and_never_values() -> None:
    app = headrace.App()

    @app.on("any")
    async def handler(event: Flight) -> None: ...

    with pytest.raises(ValueError) as error:  # noqa: PT011
        app.handlers[0].decode(b'{"carrier": "secret", "arr_delay": "s3cr3t"}')
    reason = invalid_payload(error.value)
    assert reason.startswith("invalid payload: arr_delay: Input should be a valid integer")
    assert "s3cr3t" not in reason
    assert invalid_payload(KeyError("odd")) == "invalid payload: KeyError: 'odd'"
