"""A mistake in a handler shows when the worker starts, in one sentence, and not at an event."""

import functools
from datetime import timedelta

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


@pytest.mark.parametrize(
    ("function", "options", "sentence"),
    [
        (takes_nothing, {}, "takes_nothing takes 0 parameters; a handler takes (event) or"),
        (takes_three, {}, "takes_three takes 3 parameters"),
        (yields, {}, "yields is a generator (it holds a yield); a handler returns"),
        (yields_in_a_thread, {}, "yields_in_a_thread is a generator"),
        (takes_nothing, {"timeout": 0}, "timeout=0; give more than 0 seconds"),
        (takes_nothing, {"timeout": timedelta(seconds=-1)}, "timeout=-1"),
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
    assert app.handlers[0].decode(b'{"carrier": "UA", "arr_delay": 1}') == Flight(
        carrier="UA", arr_delay=1
    )


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


def test_a_second_parameter_with_a_default_would_silently_be_the_context() -> None:
    async def landed(event: Flight, dry_run: bool = False) -> None: ...

    with pytest.raises(headrace.HandlerError, match="dry_run would get the context instead"):
        headrace.App().on("flight.landed")(landed)

    async def fine(event: Flight, *, dry_run: bool = False) -> None: ...

    headrace.App().on("flight.landed")(fine)


def test_what_nobody_gives_is_said_at_import() -> None:
    async def landed(event: Flight, *, db: object) -> None: ...

    with pytest.raises(headrace.HandlerError, match="landed needs db=, which nobody gives"):
        headrace.App().on("flight.landed")(landed)
    headrace.App().on("flight.landed")(functools.partial(landed, db=object()))


def test_the_decorator_without_its_type_is_refused() -> None:
    app = headrace.App()

    async def landed(event: Flight) -> None: ...

    for wrong in (app.on, app.batch):
        with pytest.raises(headrace.HandlerError, match=r"landed: the decorator needs the event"):
            wrong(landed)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["1", 1.0, True, -1, None])
def test_a_version_that_is_no_whole_number_is_refused(version: object) -> None:
    with pytest.raises(headrace.HandlerError, match="give a whole number from 0"):
        headrace.App().on("flight.landed", version=version)(lambda event: None)  # type: ignore[arg-type]
