"""How much work a group has: read by one read-only script, judged by a pure estimator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from redis.asyncio import Redis

from headrace.streams.keys import StreamKeys


class Quality(StrEnum):
    """What a lag is worth. UNKNOWN carries no number; it is never reported as 0."""

    EXACT = "exact"
    UPPER = "upper"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class GroupBacklog:
    """One group, its replay stream included in `lag`, `pending`, `parked` and `oldest_age_s`.

    `lag`: entries never delivered; None when unknown. `source` says in words where it came from.
    `due_now`/`parked`: parked entries due / all. `next_due_ms`: ms until the earliest not yet due.
    `oldest_age_s`: age of the oldest unhandled entry; None without one, or when ids are no clock.
    `floor_id`: nothing at or above it may be trimmed.
    """

    exists: bool
    lag: int | None
    quality: Quality
    source: str
    pending: int = 0
    parked: int = 0
    due_now: int = 0
    next_due_ms: int | None = None
    oldest_age_s: float | None = None
    floor_id: str | None = None
    last_delivered_id: str | None = None
    ahead_of_stream: bool = False

    @property
    def ready(self) -> int | None:
        """lag + pending - parked not yet due; None while the lag is unknown."""
        if self.lag is None:
            return None
        return self.lag + self.pending - (self.parked - self.due_now)


@dataclass(frozen=True, slots=True)
class StreamBacklog:
    """One stream. `error` set: it could not be read (wrong type, permission), all else is empty."""

    stream: str
    exists: bool = False
    length: int = 0
    entries_added: int = 0
    first_id: str | None = None
    last_id: str | None = None
    dead_letters: int = 0
    groups: dict[str, GroupBacklog] = field(default_factory=dict)
    server_ms: int = 0
    error: str | None = None


async def read_backlogs(
    client: Redis, queries: Iterable[tuple[StreamKeys, Sequence[str]]]
) -> list[StreamBacklog]:
    """One answer per query (stream keys, names of Redis groups), in order, in one round trip.

    A stream that refuses harms only its own answer. Raises connection errors.
    """
    raise NotImplementedError
