"""What is known of a run when it has ended, and what the checker says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Line:
    """One line of the handlers' record."""

    what: str
    seq: int
    consumer: str
    delivery_count: int
    attempt: int
    at: float


def parse(text: str) -> list[Line]:
    """The handlers' record, in the order of its lines."""
    lines = []
    for raw in text.splitlines():
        what, seq, consumer, count, attempt, at = raw.split()
        lines.append(Line(what, int(seq), consumer, int(count), int(attempt), float(at)))
    return lines


@dataclass(frozen=True)
class Ending:
    """What Redis held when the run had ended."""

    present: frozenset[int]
    """Sequence numbers of the events still in the stream (without trimming: all that it kept)."""
    dead: Counter[int]
    outputs: Counter[int]
    pending: int
    lag: int | None
    leaked: frozenset[str]
    """Keys, fields and consumers of ours that should be gone."""


@dataclass(frozen=True)
class Circumstances:
    """What happened to the run, as far as it decides what must hold."""

    deaths: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Pod -> Unix seconds of each SIGKILL."""
    settled: Mapping[int, float] = field(default_factory=dict)
    """Sequence number -> Unix seconds at which the witness saw it settled."""
    owners: Mapping[int, Sequence[tuple[str, float]]] = field(default_factory=dict)
    """Sequence number -> consumers that the witness saw own it, each with Unix seconds."""
    removed_below: int = 0
    """Below this number a trim by force, or the destruction of the stream, removed whatever there
    was: what had no effect by then is the harm's loss, and counted apart."""
    repeats: bool = False
    """The group's memory was destroyed: events are handled, but maybe again."""
    refused_outputs: bool = False
    """An output could not be written for a while: an event that emits may be a dead letter."""
    trims_safely: bool = False
    """Policy Safe was at work: what is handled may have left the stream."""
    broker_forgets: bool = False
    """The server may lose what it had confirmed (everysec): then events that are no longer in the
    stream are its loss, and repeated delivery is no fault of ours."""
    sent_at: Sequence[float] = ()
    """Unix seconds at which each event was in the stream."""
    prompt: float | None = None
    """Seconds within which what does not emit begins; None where faults delay everything."""
    calm: bool = False
    """Nothing died and nothing fell silent."""
    redelivery_bound: float | None = None
    """Seconds; None where other faults blur it."""


@dataclass
class Report:
    """`violations` by bound, with examples; figures for the table."""

    sent: int
    effects: int = 0
    duplicates: int = 0
    broker_lost: int = 0
    trimmed: int = 0
    redeliveries: list[float] = field(default_factory=list)
    most_held: int = 0
    most_mebibytes: int = 0
    violations: dict[str, list[str]] = field(default_factory=dict)

    def broke(self, bound: str, example: str) -> None:
        examples = self.violations.setdefault(bound, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(example)
