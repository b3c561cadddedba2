"""What is known of a stream's backlog: what `read_backlogs` answers. Pure."""

from dataclasses import dataclass, field

from headrace.streams.estimator import Quality

__all__ = ["GroupBacklog", "Quality", "StreamBacklog"]


@dataclass(frozen=True, slots=True)
class GroupBacklog:
    """One group, its replay stream included in `lag`, `pending`, `parked` and `oldest_age_s`.

    `lag`: entries never delivered; None when unknown. `source` says in words where it came from.
    `due_now`/`parked`: parked entries due / all. `next_due_ms`: ms until the earliest not yet due.
    `oldest_age_s`: age of the oldest unhandled entry; None without one, or when ids are no clock.
    `floor_id`: nothing at or above it may be trimmed. `first_unread_id`: None where nothing is
    unread, or where entries are too large to be looked at. `owner`: whose claim is in Redis.
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
    first_unread_id: str | None = None
    owner: str | None = None
    ahead_of_stream: bool = False

    @property
    def ready(self) -> int | None:
        """lag + pending - parked not yet due; None while the lag is unknown."""
        if self.lag is None:
            return None
        return self.lag + self.pending - (self.parked - self.due_now)


@dataclass(frozen=True, slots=True)
class StreamBacklog:
    """One stream. `error` set: it could not be read (wrong type, permission), all else is empty.

    `entries_added`, `first_id` and `last_id` are None where they are not known, as of a
    stream whose entries are too large to be looked at.
    """

    stream: str
    exists: bool = False
    length: int = 0
    entries_added: int | None = 0
    first_id: str | None = None
    last_id: str | None = None
    dead_letters: int = 0
    groups: dict[str, GroupBacklog] = field(default_factory=dict)
    server_ms: int = 0
    error: str | None = None
