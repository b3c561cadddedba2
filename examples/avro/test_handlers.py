"""How the Avro handlers are tested: no Redis, the worker's own rules.

pytest examples/avro
"""

import pytest
from examples.avro.handlers import FIRST, MARKER, app, event

import headrace
from headrace.testing import Emitted, Harness

LATE = "{flights}:late"
FLIGHT = {"carrier": "UA", "arr_delay": 20, "flight_plan": bytes(range(256))}


async def test_a_late_flight_goes_on_byte_for_byte() -> None:
    async with Harness(app, outputs=[LATE]) as harness:
        result = await harness.feed(event("flight.landed", FLIGHT))
    assert result.outcome == "done"
    assert result.emitted == [Emitted(LATE, event("flight.late", FLIGHT))]


async def test_an_event_of_the_first_schema_is_read_with_the_default_of_the_present_one() -> None:
    first = event("flight.landed", {"carrier": "UA", "arr_delay": 20}, FIRST)
    async with Harness(app, outputs=[LATE]) as harness:
        result = await harness.feed(first)
    assert result.emitted == [Emitted(LATE, event("flight.late", {**FLIGHT, "flight_plan": b""}))]


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", "no known Avro schema begins with nothing"),
        (MARKER + bytes(8), "no known Avro schema begins with c3010000000000000000"),
        (event("flight.landed", FLIGHT).payload[:12], "EOFError"),
    ],
)
async def test_bytes_that_are_no_flight_are_a_dead_letter_with_every_byte(
    payload: bytes, error: str
) -> None:
    async with Harness(app) as harness:
        await harness.feed(headrace.Event("flight.landed", payload))
        (letter,) = harness.dead_letters
    assert letter.error.startswith("invalid payload: ")
    assert error in letter.error
    assert letter.fields[b"payload"] == payload
