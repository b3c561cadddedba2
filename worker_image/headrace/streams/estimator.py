"""What the numbers of XINFO are worth: facts in, a lag with its quality out. Pure.

The order of the rules matters: the first two need no counter of the server, and hold on every
version. An integer lag is believed only where the server's own arithmetic is right, and a lag the
server does not know is never 0.
"""

from dataclasses import dataclass
from enum import StrEnum

from headrace.streams.ids import StreamId, is_clock


class Quality(StrEnum):
    """What a lag is worth. UNKNOWN carries no number; it is never reported as 0."""

    EXACT = "exact"
    UPPER = "upper"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """XINFO STREAM; `first_id` and `last_id` are None for a stream without entries.

    All ids are None where the entries are too large to be looked at; `entries_added` may be, too.
    """

    length: int
    entries_added: int | None
    last_generated_id: StreamId | None
    first_id: StreamId | None
    last_id: StreamId | None


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """One row of XINFO GROUPS, and what was looked up beside it.

    `lag`: None where the server says nil. `counted`: entries above `last_delivered_id` counted one
    by one, None when that was not tried or stopped at its cap. `parked`: pending entries of the
    reserved consumer. `ahead`: seen to stand ahead of its stream, of which no id is known here.
    """

    last_delivered_id: StreamId
    lag: int | None
    pending: int = 0
    parked: int = 0
    oldest_pending_id: StreamId | None = None
    first_unread_id: StreamId | None = None
    counted: int | None = None
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Lag:
    """`source` says in words where the number came from."""

    entries: int | None
    quality: Quality
    source: str


def estimate_lag(  # noqa: PLR0911 - one return a rule
    stream: StreamFacts | None, group: GroupFacts | None, *, lag_is_exact: bool
) -> Lag:
    """How many entries the group has not been given. `lag_is_exact`: see server.Server."""
    if stream is None or group is None:
        return Lag(None, Quality.UNKNOWN, "the group does not exist")
    if is_ahead(stream, group):
        return Lag(None, Quality.UNKNOWN, "the group is ahead of its stream")
    last = stream.last_id
    if stream.length == 0 or (last is not None and last <= group.last_delivered_id):
        return Lag(0, Quality.EXACT, "no entry after the last delivered one")
    if stream.first_id is not None and stream.first_id > group.last_delivered_id:
        return Lag(stream.length, Quality.EXACT, "length of the stream")
    if group.counted is not None:
        return Lag(group.counted, Quality.EXACT, "counted")
    # Something may be unread, so a 0 here is the server's mistake.
    if group.lag is not None and 1 <= group.lag <= stream.length:
        if lag_is_exact:
            return Lag(group.lag, Quality.EXACT, "lag of XINFO GROUPS")
        return Lag(
            group.lag, Quality.UPPER, "lag of XINFO GROUPS, which this version may overstate"
        )
    return Lag(stream.length, Quality.UPPER, "length of the stream, as the server knows no lag")


def is_ahead(stream: StreamFacts, group: GroupFacts) -> bool:
    """Whether the group stands above every id that its stream has given out."""
    generated = stream.last_generated_id
    return group.ahead or (generated is not None and group.last_delivered_id > generated)


def estimate_replay_lag(
    stream: StreamFacts | None, group: GroupFacts | None, *, lag_is_exact: bool
) -> Lag:
    """The same for a replay stream, whose group always starts at its beginning."""
    if stream is None:
        return Lag(0, Quality.EXACT, "no replay stream")
    if group is None:
        return Lag(stream.length, Quality.EXACT, "length of the replay stream")
    return estimate_lag(stream, group, lag_is_exact=lag_is_exact)


def add_lags(main: Lag, replay: Lag) -> Lag:
    """Both lags together, worth as much as the worse of them."""
    if main.entries is None or replay.entries is None:
        worse = main if main.entries is None else replay
        return Lag(None, Quality.UNKNOWN, worse.source)
    worse = replay if main.quality is Quality.EXACT and replay.entries else main
    quality = Quality.EXACT if {main.quality, replay.quality} == {Quality.EXACT} else Quality.UPPER
    return Lag(main.entries + replay.entries, quality, worse.source)


@dataclass(frozen=True, slots=True)
class Parked:
    """Entries waiting for their next try: all of them, and those whose time has come."""

    entries: int
    due: int


def estimate_parked(entries: int, members: int, due_members: int) -> Parked:
    """Judge the parked entries (of the PEL) by the members of the sorted set `retry`.

    A member whose entry somebody else settled is stale until it falls due; every surplus member is
    taken for a stale one not yet due, so that waiting ones never hide work that is ready.
    """
    surplus = max(0, members - entries)
    waiting = min(entries, max(0, members - due_members - surplus))
    return Parked(entries, entries - waiting)


def floor_of(group: GroupFacts) -> StreamId:
    """Nothing at or above this id may be trimmed."""
    oldest = group.oldest_pending_id
    return group.last_delivered_id if oldest is None else min(group.last_delivered_id, oldest)


def oldest_age(groups: list[GroupFacts], now_ms: int) -> float | None:
    """Seconds since the oldest unhandled entry was added; None without one, or when ids are no
    clock."""
    unhandled = [
        entry_id
        for group in groups
        for entry_id in (group.oldest_pending_id, group.first_unread_id)
        if entry_id is not None
    ]
    if not unhandled:
        return None
    oldest = min(unhandled)
    return max(0.0, (now_ms - oldest[0]) / 1000) if is_clock(oldest, now_ms) else None
