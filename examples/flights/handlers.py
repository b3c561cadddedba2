"""The handlers of the flights pipeline: one app per consumer group.

An event may be delivered twice: a worker can die after its handler has run and before the entry is
acknowledged. So each handler marks the event's row in a bitmap, in the same script as its effect:
whoever finds the mark set does nothing.
"""

from pydantic import BaseModel

import headrace

delays = headrace.App()
audit = headrace.App()

# KEYS: rows added (bitmap), totals (hash). ARGV: row, carrier, minutes.
ADD_DELAY = """
if redis.call('SETBIT', KEYS[1], ARGV[1], 1) == 0 then
  redis.call('HINCRBY', KEYS[2], ARGV[2] .. ':flights', 1)
  redis.call('HINCRBY', KEYS[2], ARGV[2] .. ':minutes', ARGV[3])
end
"""


class Flight(BaseModel):
    """A flight that has landed. One that never did (cancelled, diverted) has no `arr_delay`."""

    row: int
    carrier: str
    arr_delay: int


class AnyFlight(BaseModel):
    row: int


@delays.on("flight.landed", version=1)
async def add_delay(flight: Flight, ctx: headrace.Context) -> None:
    """Flights and minutes of delay by carrier. A payload without `arr_delay` never gets here:
    it does not validate, and goes to the dead letters with the reason."""
    await ctx.redis.eval(
        ADD_DELAY,
        2,
        "{flights}:delays:rows",
        "{flights}:delays:totals",
        flight.row,
        flight.carrier,
        flight.arr_delay,
    )


@audit.on("flight.landed", version=1)
async def count(flight: AnyFlight, ctx: headrace.Context) -> None:
    """Every event counts once: the count is the number of bits set."""
    await ctx.redis.setbit("{flights}:audit:rows", flight.row, 1)
