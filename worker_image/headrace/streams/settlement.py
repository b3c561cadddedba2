"""How one entry ends, and what the commit script answered. Pure.

Classes of which each event makes one are not frozen: a frozen dataclass costs twice as much to
make. Nobody changes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from headrace.streams.entries import Source


@dataclass(slots=True)
class Output:
    """An entry to append to a stream in the same slot. `fields` is flat; `max_length` trims ~."""

    stream: str
    fields: Sequence[bytes]
    max_length: int | None = None


@dataclass(slots=True)
class Mark:
    """The event's deduplication id and how long it is remembered.

    `original_id`: for a replayed entry, the id of its first life, whose own mark it ignores.
    """

    event_id: bytes
    window_ms: int
    original_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """Handled (or skipped: then without a mark)."""


@dataclass(frozen=True, slots=True)
class Park:
    """Try again `delay_ms` from now. `failure` False: the attempt does not count as failed."""

    delay_ms: int
    error: str = ""
    failure: bool = True


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up. `fields` are the entry's own, flat; the script adds counts and times.

    `original_id`, `replays`: for a replayed entry, its first life and how often it was sent back.
    """

    fields: Sequence[bytes]
    error: str
    error_type: str
    original_id: bytes | None = None
    replays: int = 0


Outcome: TypeAlias = Ack | Park | DeadLetter


@dataclass(slots=True)
class Settlement:
    """One entry's end. `fenced` False only for what `claim.renew` reported trimmed while ours."""

    source: Source
    id: bytes
    delivery_count: int
    outcome: Outcome
    outputs: Sequence[Output] = ()
    mark: Mark | None = None
    fenced: bool = True


class VerdictKind(IntEnum):
    """Why an entry was not settled as asked."""

    OWNED_BY_ANOTHER = 1
    """Another consumer, or a later delivery to this one, has it. Discard the result."""
    GONE = 2
    """In no pending list: somebody settled it. Discard the result."""
    DUPLICATE = 3
    """Another entry with this event id was handled first: acknowledged, outputs dropped."""
    FAILED = 4
    """Nothing was written for it (see reason: memory, permission, type); still pending, ours."""
    TRIMMED = 5
    """To be parked, but its body was trimmed away: no longer pending, nobody can try it again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: VerdictKind
    reason: str = ""


Verdicts: TypeAlias = dict[tuple[Source, bytes], Verdict]
