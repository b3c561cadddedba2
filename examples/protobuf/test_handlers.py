"""How the Protobuf handlers are tested: no Redis, the worker's own rules.

pytest examples/protobuf
"""

from examples.protobuf.handlers import Flight, app, event

import headrace
from headrace.testing import Emitted, Harness

LATE = "{flights}:late"


async def test_a_late_flight_goes_on_byte_for_byte() -> None:
    flight = Flight(carrier="UA", arr_delay=20, flight_plan=bytes(range(256)))
    async with Harness(app, outputs=[LATE]) as harness:
        result = await harness.feed(event("flight.landed", flight))
    assert result.outcome == "done"
    assert result.emitted == [
        Emitted(LATE, headrace.Event("flight.late", flight.SerializeToString()))
    ]


async def test_a_flight_in_time_stays() -> None:
    async with Harness(app, outputs=[LATE]) as harness:
        result = await harness.feed(event("flight.landed", Flight(carrier="UA", arr_delay=-3)))
    assert (result.outcome, result.emitted) == ("done", [])


async def test_a_flight_without_a_carrier_is_a_dead_letter() -> None:
    async with Harness(app) as harness:
        result = await harness.feed(event("flight.landed", Flight(arr_delay=1)))
        assert (result.outcome, result.error) == ("dead_lettered", "a flight without a carrier")


async def test_bytes_that_are_no_flight_are_a_dead_letter_with_every_byte() -> None:
    broken = Flight(carrier="UA").SerializeToString() + b"\xff\x00"
    async with Harness(app) as harness:
        await harness.feed(headrace.Event("flight.landed", broken))
        (letter,) = harness.dead_letters
    assert letter.error.startswith("invalid payload: DecodeError")
    assert letter.fields[b"payload"] == broken
