"""Compare what the handlers left in Redis with the truth computed from the CSV."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from examples.flights.demo.data import Carrier, Truth
from examples.flights.demo.figures import DEAD_LETTERS, STREAM


@dataclass(slots=True)
class GroupResult:
    """`lost` = sent - handled - dead-lettered."""

    sent: int
    handled: int
    dead_lettered: int

    @property
    def lost(self) -> int:
        return self.sent - self.handled - self.dead_lettered


@dataclass(slots=True)
class Result:
    groups: dict[str, GroupResult]
    carriers: dict[str, Carrier]
    problems: list[str] = field(default_factory=list)

    @property
    def minutes(self) -> int:
        return sum(carrier.minutes for carrier in self.carriers.values())


def prove(client: Any, truth: Truth) -> Result:
    """`client` answers bytes. `problems` is empty when everything is as it must be."""
    carriers = _carriers(client.hgetall("{flights}:delays:totals"))
    dead = _dead_letters(client)
    sent = client.xlen(STREAM)
    handled = client.bitcount("{flights}:delays:rows")
    delays = GroupResult(sent, handled, len(dead.get("delays", {})))
    counted = client.bitcount("{flights}:audit:rows")
    audit = GroupResult(sent, counted, len(dead.get("audit", {})))
    result = Result({"delays": delays, "audit": audit}, carriers)

    def expect(what: str, found: object, wanted: object) -> None:
        if found != wanted:
            result.problems.append(f"{what}: {found}, and the data say {wanted}")

    expect("events in the stream", sent, truth.events)
    expect("delays: handled", handled, truth.landed)
    expect("delays: flights added up", sum(c.flights for c in carriers.values()), truth.landed)
    expect("delays: dead-lettered", delays.dead_lettered, len(truth.without_delay))
    expect("audit: handled", counted, truth.events)
    expect("audit: dead-lettered", audit.dead_lettered, 0)
    expect("minutes of delay", result.minutes, truth.minutes)
    for code in sorted(truth.carriers | carriers):
        expect(f"carrier {code}", carriers.get(code), truth.carriers.get(code))
    wrong_rows = set(dead.get("delays", {})) ^ truth.without_delay
    expect("rows that are dead letters and should not, or the reverse", len(wrong_rows), 0)
    for row, reason in dead.get("delays", {}).items():
        if "arr_delay" not in reason:
            result.problems.append(f"dead letter of row {row} does not say why: {reason!r}")
            break
    return result


def _carriers(totals: dict[bytes, bytes]) -> dict[str, Carrier]:
    figures = {name.decode(): int(value) for name, value in totals.items()}
    codes = {name.partition(":")[0] for name in figures}
    return {
        code: Carrier(figures.get(f"{code}:flights", 0), figures.get(f"{code}:minutes", 0))
        for code in codes
    }


def _dead_letters(client: Any) -> dict[str, dict[int, str]]:
    """Reason by row, by group."""
    found: dict[str, dict[int, str]] = {}
    last = "-"
    while page := client.xrange(DEAD_LETTERS, min=last, count=1000):
        for _, fields in page:
            row = json.loads(fields[b"f:payload"])["row"]
            found.setdefault(fields[b"group"].decode(), {})[row] = fields[b"error"].decode()
        last = f"({page[-1][0].decode()}"
    return found
