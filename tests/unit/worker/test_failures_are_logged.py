"""Each failure has its line, now and then with a traceback; no line holds a payload."""

import logging
from typing import Any

import pytest
from pydantic import BaseModel

import headrace
from headrace.logs import JsonLines, PlainLines
from headrace.testing import Harness

SECRET = "4111-1111"


class Card(BaseModel):
    number: int


async def lines_of(app: headrace.App, caplog, *events: headrace.Event, **delivery) -> str:
    caplog.set_level(logging.INFO)
    async with Harness(app, delivery=delivery) as harness:
        await harness.feed_many(events)
    return caplog.text


async def test_a_failing_handler_is_logged_with_its_traceback_and_what_comes_next(caplog) -> None:
    app = headrace.App()

    @app.on("t")
    async def charge(event: int) -> None:
        raise KeyError("price")

    text = await lines_of(app, caplog, headrace.Event("t", 1))
    assert "t/1: entry" in text
    assert "failed and comes again in" in text
    assert "KeyError: 'price' (charge, line" in text
    assert 'raise KeyError("price")' in text, "no traceback"
    (record,) = caplog.records
    assert (record.handler, record.attempt, record.error_type) == ("t/1", 1, "KeyError")


async def test_an_event_that_waits_for_something_else_has_not_failed(caplog) -> None:
    app = headrace.App()

    @app.on("t")
    async def charge(event: int) -> None:
        raise headrace.Retry("rate limited", after=60)

    text = await lines_of(app, caplog, headrace.Event("t", 1))
    assert "comes again in 60 s: rate limited" in text
    assert "failed" not in text


async def test_the_same_failure_again_and_again_brings_few_lines_and_one_traceback(caplog) -> None:
    app = headrace.App()

    @app.on("t")
    def charge(event: int) -> None:
        raise KeyError("price")

    text = await lines_of(app, caplog, *[headrace.Event("t", n) for n in range(500)])
    assert 1 < len(caplog.records) <= 20
    assert text.count("Traceback") == 1


async def test_another_error_of_the_same_handler_is_not_hidden_by_many_of_the_first(caplog) -> None:
    app = headrace.App()

    @app.on("t")
    async def charge(event: int) -> None:
        raise KeyError("price") if event else ValueError("another")

    text = await lines_of(app, caplog, *[headrace.Event("t", n) for n in range(99, -1, -1)])
    assert 'KeyError("price") if event else ValueError("another")' in text
    assert "ValueError: another" in text


async def test_dead_letters_have_a_line_each_whatever_made_them(caplog) -> None:
    app = headrace.App()

    @app.on("rejected")
    async def rejected(event: int) -> None:
        raise headrace.Reject("no such carrier")

    @app.on("failing")
    async def failing(event: int) -> None:
        raise OSError("away")

    @app.on("unfit")
    async def unfit(event: Card) -> None: ...

    kinds = ["rejected", "failing", "unfit", "unheard"]
    await lines_of(app, caplog, *[headrace.Event(kind, {}) for kind in kinds[2:]], maxRetries=0)
    text = await lines_of(app, caplog, *[headrace.Event(k, 1) for k in kinds[:2]], maxRetries=0)
    assert text.count("is a dead letter") == 4
    assert "no such carrier" in text
    assert "OSError: away" in text
    assert "number: Field required" in text
    assert "no handler for type 'unheard' version '1'" in text


@pytest.mark.parametrize("how", ["model", "deserializer", "handler", "behind"])
async def test_no_line_holds_anything_of_a_payload(caplog, how: str) -> None:
    app = headrace.App()
    if how == "deserializer":

        @app.deserializer("t")
        def read(payload: bytes) -> Card:
            raise ValueError(f"no card: {payload.decode()}")

    async def handle(event: Any) -> None:
        if how == "handler":
            Card.model_validate(event)
        try:
            Card.model_validate(event)
        except ValueError as error:
            raise RuntimeError("no card") from error

    if how in ("model", "deserializer"):
        handle.__annotations__["event"] = Card
    app.on("t")(handle)
    text = await lines_of(app, caplog, headrace.Event("t", {"number": SECRET}))
    assert "t/1: entry" in text
    assert SECRET not in text


async def test_a_logger_that_fails_fails_no_event(caplog) -> None:
    app = headrace.App()

    @app.on("t")
    async def handle(event: int) -> None:
        raise ValueError

    def broken(record: logging.LogRecord) -> bool:
        raise RuntimeError("the filter is broken")

    logger = logging.getLogger("headrace.worker")
    logger.addFilter(broken)
    try:
        async with Harness(app) as harness:
            assert (await harness.feed(headrace.Event("t", 1))).outcome == "retried"
    finally:
        logger.removeFilter(broken)


class Wordless:
    def __str__(self) -> str:
        raise TypeError("no words")


@pytest.mark.parametrize("lines", [JsonLines(), PlainLines()])
def test_an_exception_whose_words_fail_costs_only_its_traceback(lines: logging.Formatter) -> None:
    error = SyntaxError(Wordless())
    exc_info = (SyntaxError, error, None)
    record = logging.LogRecord("headrace", logging.ERROR, "", 1, "it failed", (), exc_info)
    assert "it failed" in lines.format(record)
    assert "SyntaxError" in lines.format(record)
