"""Reads how much work groups have: one read-only script per stream, judged by the estimator."""

from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from headrace.streams import refusals
from headrace.streams.backlog import GroupBacklog, StreamBacklog
from headrace.streams.detect import require_floor
from headrace.streams.estimator import (
    GroupFacts,
    StreamFacts,
    add_lags,
    estimate_lag,
    estimate_parked,
    estimate_replay_lag,
    floor_of,
    is_ahead,
    oldest_age,
)
from headrace.streams.ids import StreamId, format_id, parse_id
from headrace.streams.keys import StreamKeys
from headrace.streams.script import Argument, Command, Script, call
from headrace.streams.server import Server

_SCRIPT = Script("backlog", read_only=True)
_STREAMS_A_WRITE = 100
_MAX_COUNTED_BELOW_LAG = 100


async def read_backlogs(
    client: Redis,
    queries: Iterable[tuple[StreamKeys, Sequence[str]]],
    *,
    before: Sequence[StreamBacklog | None] = (),
    most_counted: int = 1_000,
) -> list[StreamBacklog]:
    """One answer per query (stream keys, names of Redis groups), in order; a hundred a write.

    `before`: the last answer to each query. With it, entries too large to be looked at each time
    are looked at once when their group stands still. `most_counted`: how many entries of a stream
    may be counted one by one where the server's own lag is missing. A stream that refuses harms
    only its own answer. Raises connection errors.
    """
    server = await require_floor(client)
    pending = zip_longest(queries, before)
    answers: list[StreamBacklog] = []
    while chunk := list(islice(pending, _STREAMS_A_WRITE)):
        calls = [_call(query[0], query[1], last, server, most_counted) for query, last in chunk]
        replies = await _ask(client, calls)
        answers += [
            _answer(keys, groups, reply, server)
            for ((keys, groups), _), reply in zip(chunk, replies, strict=True)
        ]
    return answers


def _call(
    keys: StreamKeys,
    groups: Sequence[str],
    before: StreamBacklog | None,
    server: Server,
    most_counted: int,
) -> tuple[list[Argument], list[Argument]]:
    names: list[Argument] = [keys.stream, keys.dead_letters]
    below_lag = 0 if server.lag_is_exact else min(most_counted, _MAX_COUNTED_BELOW_LAG)
    args: list[Argument] = [most_counted, below_lag]
    args += (-1, "") if before is None else (before.length, before.last_id or "")
    for group in groups:
        of_group = keys.for_group(group)
        names += (of_group.replay, of_group.retry, of_group.state)
        last = before.groups.get(group) if before is not None else None
        args += (group, *_known(last))
    return names, args


def _known(last: GroupBacklog | None) -> tuple[str, str]:
    """Where the group stood, and its first unread entry: "none" where nothing was unread."""
    if last is None or last.last_delivered_id is None:
        return "", ""
    return last.last_delivered_id, "none" if last.lag == 0 else last.first_unread_id or ""


async def _ask(client: Redis, calls: list[tuple[list[Argument], list[Argument]]]) -> list[Any]:
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
        return StreamBacklog(keys.stream, error=refusals.describe(reply))
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
    main_row, replay_stream_row, replay_row, members, due_members, wait, owner = row
    main, replay = _group_facts(main_row), _group_facts(replay_row)
    lag = add_lags(
        estimate_lag(stream, main, lag_is_exact=server.lag_is_exact),
        estimate_replay_lag(
            _stream_facts(replay_stream_row), replay, lag_is_exact=server.lag_is_exact
        ),
    )
    if stream is None or main is None:
        return GroupBacklog(False, lag.entries, lag.quality, lag.source, owner=_name(owner))
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
        first_unread_id=_text(main.first_unread_id),
        owner=_name(owner),
        ahead_of_stream=is_ahead(stream, main),
    )


def _stream_facts(row: Any) -> StreamFacts | None:
    if not row:
        return None
    length, added, generated, first, last = row
    return StreamFacts(length, None if added < 0 else added, _id(generated), _id(first), _id(last))


def _group_facts(row: Any) -> GroupFacts | None:
    if not row:
        return None
    delivered, lag, pending, parked, oldest, unread, counted, ahead = row
    return GroupFacts(
        last_delivered_id=parse_id(delivered),
        lag=None if lag < 0 else lag,
        pending=pending,
        parked=parked,
        oldest_pending_id=_id(oldest),
        first_unread_id=_id(unread),
        counted=None if counted < 0 else counted,
        ahead=bool(ahead),
    )


def _id(raw: bytes) -> StreamId | None:
    return parse_id(raw) if raw else None


def _text(stream_id: StreamId | None) -> str | None:
    return None if stream_id is None else format_id(stream_id)


def _name(raw: bytes) -> str | None:
    return raw.decode("utf-8", "replace") or None
