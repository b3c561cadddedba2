"""How much work a group has: read by one read-only script per stream, judged by the estimator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from headrace.streams.estimator import (
    GroupFacts,
    Quality,
    StreamFacts,
    add_lags,
    estimate_lag,
    estimate_parked,
    estimate_replay_lag,
    floor_of,
    oldest_age,
)
from headrace.streams.ids import StreamId, format_id, parse_id
from headrace.streams.keys import StreamKeys
from headrace.streams.script import Command, Script, call
from headrace.streams.server import Server, detect

__all__ = ["GroupBacklog", "Quality", "StreamBacklog", "read_backlogs"]

_SCRIPT = Script("backlog", read_only=True)
_STREAMS_A_WRITE = 100
_MOST_COUNTED_BELOW_LAG = 100


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
    client: Redis,
    queries: Iterable[tuple[StreamKeys, Sequence[str]]],
    *,
    most_counted: int = 1_000,
) -> list[StreamBacklog]:
    """One answer per query (stream keys, names of Redis groups), in order; a hundred a write.

    `most_counted`: how many entries of a stream may be counted one by one where the server's own
    lag is missing. A stream that refuses harms only its own answer. Raises connection errors.
    """
    server = await detect(client)
    pending = iter(queries)
    answers: list[StreamBacklog] = []
    while chunk := list(islice(pending, _STREAMS_A_WRITE)):
        calls = [_call(keys, groups, server, most_counted) for keys, groups in chunk]
        replies = await _ask(client, calls)
        answers += [
            _answer(keys, groups, reply, server)
            for (keys, groups), reply in zip(chunk, replies, strict=True)
        ]
    return answers


def _call(
    keys: StreamKeys, groups: Sequence[str], server: Server, most_counted: int
) -> tuple[list[bytes | str | int], list[bytes | str | int]]:
    names: list[bytes | str | int] = [keys.stream, keys.dead_letters]
    for group in groups:
        of_group = keys.for_group(group)
        names += (of_group.replay, of_group.retry)
    below_lag = 0 if server.lag_is_exact else min(most_counted, _MOST_COUNTED_BELOW_LAG)
    return names, [most_counted, below_lag, *groups]


async def _ask(
    client: Redis, calls: list[tuple[list[bytes | str | int], list[bytes | str | int]]]
) -> list[Any]:
    """All calls in one write; where the script is unknown, once with its text, then all again."""
    replies = await _write(client, [_SCRIPT.command(*call_) for call_ in calls])
    unknown = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        first, *rest = unknown
        (replies[first],) = await _write(client, [_SCRIPT.command_with_text(*calls[first])])
        again = await _write(client, [_SCRIPT.command(*calls[n]) for n in rest])
        for n, reply in zip(rest, again, strict=True):
            replies[n] = reply
    for reply in replies:
        if isinstance(reply, RedisConnectionError):
            raise reply
    return replies


async def _write(client: Redis, commands: Sequence[Command]) -> list[Any]:
    if len(commands) == 1:
        try:
            return [await call(client, commands[0])]
        except ResponseError as error:
            return [error]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    replies: list[Any] = await pipeline.execute(raise_on_error=False)
    return replies


def _answer(keys: StreamKeys, groups: Sequence[str], reply: Any, server: Server) -> StreamBacklog:
    if isinstance(reply, Exception):
        return StreamBacklog(keys.stream, error=str(reply))
    server_ms, dead_letters, stream_row, *rows = reply
    now_ms, stream = int(server_ms), _stream_facts(stream_row)
    found = {
        group: _group_backlog(stream, row, now_ms, server)
        for group, row in zip(groups, rows, strict=True)
    }
    if stream is None:
        return StreamBacklog(keys.stream, dead_letters=dead_letters, groups=found, server_ms=now_ms)
    return StreamBacklog(
        stream=keys.stream,
        exists=True,
        length=stream.length,
        entries_added=stream.entries_added,
        first_id=_text(stream.first_id),
        last_id=_text(stream.last_id),
        dead_letters=dead_letters,
        groups=found,
        server_ms=now_ms,
    )


def _group_backlog(
    stream: StreamFacts | None, row: Any, now_ms: int, server: Server
) -> GroupBacklog:
    main_row, replay_stream_row, replay_row, members, due_members, wait = row
    main, replay = _group_facts(main_row), _group_facts(replay_row)
    lag = add_lags(
        estimate_lag(stream, main, lag_is_exact=server.lag_is_exact),
        estimate_replay_lag(
            _stream_facts(replay_stream_row), replay, lag_is_exact=server.lag_is_exact
        ),
    )
    if stream is None or main is None:
        return GroupBacklog(False, lag.entries, lag.quality, lag.source)
    both = [facts for facts in (main, replay) if facts is not None]
    parked = estimate_parked(sum(facts.parked for facts in both), members, due_members)
    return GroupBacklog(
        exists=True,
        lag=lag.entries,
        quality=lag.quality,
        source=lag.source,
        pending=sum(facts.pending for facts in both),
        parked=parked.entries,
        due_now=parked.due,
        next_due_ms=None if wait < 0 else wait,
        oldest_age_s=oldest_age(both, now_ms),
        floor_id=_text(floor_of(main)),
        last_delivered_id=_text(main.last_delivered_id),
        ahead_of_stream=main.last_delivered_id > stream.last_generated_id,
    )


def _stream_facts(row: Any) -> StreamFacts | None:
    if not row:
        return None
    length, added, generated, first, last = row[:5]
    return StreamFacts(length, added, parse_id(generated), _id(first), _id(last))


def _group_facts(row: Any) -> GroupFacts | None:
    if not row:
        return None
    delivered, _, lag, pending, parked, oldest, unread, counted = row
    return GroupFacts(
        last_delivered_id=parse_id(delivered),
        lag=None if lag < 0 else lag,
        pending=pending,
        parked=parked,
        oldest_pending_id=_id(oldest),
        first_unread_id=_id(unread),
        counted=None if counted < 0 else counted,
    )


def _id(raw: bytes) -> StreamId | None:
    return parse_id(raw) if raw else None


def _text(stream_id: StreamId | None) -> str | None:
    return None if stream_id is None else format_id(stream_id)
