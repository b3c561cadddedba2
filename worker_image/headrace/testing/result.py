"""What a test sees of the events it fed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.event import ID, PAYLOAD, TRACEPARENT, TYPE, VERSION, Event, field_map


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a handler, or a delivery that a crash cut short.

    `outcome`: done, skipped, retried, dead_lettered, duplicate, crashed or lost (its result was
    discarded because another worker had the entry). `delay`: seconds until the next try, for
    retries.
    """

    outcome: str
    error: str = ""
    error_type: str = ""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Emitted:
    """One event that `ctx.emit` wrote, its payload parsed when it is JSON, else bytes."""

    stream: str
    event: Event


@dataclass(slots=True)
class Result:
    """One event fed, and what has become of it so far. It goes on changing with `advance`."""

    id: str
    attempts: list[Attempt] = field(default_factory=list)
    emitted: list[Emitted] = field(default_factory=list)
    """What reached the outputs: written once, together with the acknowledgement."""

    @property
    def outcome(self) -> str:
        """The latest attempt's outcome; "waiting" before the first."""
        return self.attempts[-1].outcome if self.attempts else "waiting"

    @property
    def error(self) -> str:
        """The latest attempt's error; "" if it had none."""
        return self.attempts[-1].error if self.attempts else ""

    @property
    def settled(self) -> bool:
        """Nothing more will happen to it."""
        return self.outcome in ("done", "skipped", "dead_lettered", "duplicate")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, with the counts that the real one carries and the original's fields."""

    id: str
    error: str
    error_type: str
    attempts: int
    crashes: int
    fields: dict[bytes, bytes]


def emitted(stream: str, fields: Sequence[bytes]) -> Emitted:
    """The output as a test wants to compare it."""
    known = field_map(fields)
    try:
        payload = json.loads(known[PAYLOAD])
    except ValueError:
        payload = known[PAYLOAD]
    id_, trace = known.get(ID), known.get(TRACEPARENT)
    return Emitted(
        stream,
        Event(
            known[TYPE].decode(),
            payload,
            int(known[VERSION]),
            id=id_.decode() if id_ is not None else None,
            traceparent=trace.decode() if trace is not None else None,
        ),
    )
