"""Ownership of entries: taking, keeping and giving back. Times are the server's.

Entries arrive with delivery count and record; (consumer, delivery count) fences their commit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from redis.asyncio import Redis

from headrace.streams.bodies import read_bodies
from headrace.streams.entries import ClaimedEntry, Record, Source
from headrace.streams.keys import GroupKeys
from headrace.streams.script import Script

_TAKE_DUE = Script("take_due")
_CLAIM_IDLE = Script("claim_idle")
_PARK_IDLE = Script("park_idle")
_ADOPT_PARKED = Script("adopt_parked")
_TAKE_OVER = Script("take_over")
_MARK_SOLO = Script("mark_solo")
_RENEW = Script("renew")
_HAND_BACK = Script("hand_back")


@dataclass(frozen=True, slots=True)
class Claimed:
    """Entries now ours. `trimmed`: entries that were pending but whose body is gone; they were
    cleared and are lost to trimming."""

    entries: list[ClaimedEntry] = field(default_factory=list)
    trimmed: list[tuple[Source, bytes]] = field(default_factory=list)
    next_due_ms: int | None = None
    """take_due only: ms until the earliest parked entry falls due (0: more are due now)."""
    parked: int = 0
    """take_due only: how many of the group's entries wait for their next try still."""
    cursor: bytes = b""
    """claim_idle only: hand it to the next call; empty when the scan came round."""
    unread: list[tuple[Source, bytes]] = field(default_factory=list)
    """claim_idle only: ours, but their fields would have weighed too much."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """`lost`: held but owned by another or settled: drop the result. `trimmed`: ours, but the body
    is gone and nobody else can get it: commit its outcome with `fenced=False`."""

    lost: list[bytes]
    trimmed: list[bytes]


@dataclass(frozen=True, slots=True)
class ParkedIdle:
    """`parked`: how many entries were parked, due now. `trimmed`: ids whose body is gone; they were
    cleared and are lost to trimming. `cursor`: hand it to the next call; empty when the scan came
    round."""

    parked: int
    trimmed: list[bytes]
    cursor: bytes = b""


async def take_due(
    client: Redis,
    keys: GroupKeys,
    consumer: str,
    *,
    count: int,
    suspects: int | None = None,
    most_bytes: float = math.inf,
) -> Claimed:
    """Take up to `count` parked entries of both streams whose time has come, and among them no more
    than `suspects` (None: any number) with a crash behind them: each has to run alone. What goes
    beyond `most_bytes` is handed back, but for one entry."""
    entries, trimmed, wait, parked = await _TAKE_DUE.run(
        client,
        [keys.stream, keys.replay, keys.retry, keys.failures],
        [keys.group, consumer, count, count if suspects is None else suspects],
    )
    claimed = Claimed([], _ids(trimmed), None if wait < 0 else wait, parked=parked)
    unread = await _with_bodies(client, keys, entries, claimed, most_bytes)
    for source in Source:
        ids = [(id_, delivered) for of, id_, delivered in unread if of is source]
        await hand_back(client, keys, consumer, source, ids)
    return replace(claimed, next_due_ms=0) if unread else claimed


async def park_idle(
    client: Redis,
    keys: GroupKeys,
    consumer: str,
    *,
    source: Source,
    min_idle_ms: int,
    count: int,
    cursor: bytes = b"",
) -> ParkedIdle:
    """Park entries whose consumer has not renewed them for `min_idle_ms`, due now, and count a
    crash each. Goes consumer by consumer, never into the parked one nor our own."""
    parked, trimmed, cursor = await _PARK_IDLE.run(
        client,
        [keys.of(source), keys.failures, keys.retry],
        [keys.group, consumer, source.value, min_idle_ms, count, cursor],
    )
    return ParkedIdle(parked, trimmed, cursor)


async def take_over(
    client: Redis, keys: GroupKeys, consumer: str, *, pod: str, source: Source, count: int
) -> ParkedIdle:
    """Park what earlier processes of this pod (`<pod>-<8 hex digits>`) held, due now, and count a
    crash each. Call until nothing comes."""
    parked, trimmed = await _TAKE_OVER.run(
        client,
        [keys.of(source), keys.failures, keys.retry],
        [keys.group, consumer, source.value, pod, count],
    )
    return ParkedIdle(parked, trimmed)


async def adopt_parked(
    client: Redis, keys: GroupKeys, cursor: tuple[bytes, bytes] = (b"", b"")
) -> tuple[bytes, bytes]:
    """Make due now what is parked without a due time. The cursor for the next call; both parts are
    empty when nothing is left."""
    main, replay = await _ADOPT_PARKED.run(
        client, [keys.stream, keys.replay, keys.retry], [keys.group, *cursor]
    )
    return main, replay


async def claim_idle(
    client: Redis,
    keys: GroupKeys,
    consumer: str,
    *,
    source: Source,
    min_idle_ms: int,
    count: int,
    cursor: bytes = b"",
    needed_from: int = 0,
    most_bytes: float = math.inf,
) -> Claimed:
    """The same as park_idle for a Custom group: the entries come to this consumer, with a delivery
    and a crash counted each, and stay pending here until they are settled or claimed.

    Only those with `needed_from` deliveries bring their fields, and no more than weigh
    `most_bytes`, but for one; the others of these are `unread`."""
    at, _, victim = cursor.partition(b" ")
    entries, trimmed, victim, at = await _CLAIM_IDLE.run(
        client,
        [keys.of(source), keys.failures],
        [keys.group, consumer, source.value, min_idle_ms, count, victim, at],
    )
    cursor = at + b" " + victim if victim else b""
    claimed = Claimed([], _ids(trimmed), cursor=cursor)
    needed = [row for row in entries if row[2] >= needed_from]
    for of, id_, delivered, packed in entries:
        if delivered < needed_from:
            entry = ClaimedEntry(Source(of.decode()), id_, [], delivered, Record.parse(packed))
            claimed.entries.append(entry)
    unread = await _with_bodies(client, keys, needed, claimed, most_bytes)
    return replace(claimed, unread=[(of, id_) for of, id_, _ in unread])


class Delivery(Protocol):
    """An entry as it was delivered, whatever else is known of it."""

    @property
    def source(self) -> Source: ...
    @property
    def id(self) -> bytes: ...
    @property
    def delivery_count(self) -> int: ...


async def mark_solo(client: Redis, keys: GroupKeys, consumer: str, entry: Delivery) -> bool:
    """Note that the entry now runs alone, so that a crash from here on counts against it.

    False: it is no longer ours; do not run it.
    """
    return bool(
        await _MARK_SOLO.run(
            client,
            [keys.of(entry.source), keys.failures],
            [keys.group, consumer, entry.source.value, entry.id, entry.delivery_count],
        )
    )


async def renew(
    client: Redis,
    keys: GroupKeys,
    consumer: str,
    source: Source,
    held: Sequence[bytes],
    *,
    answered: bool = True,
) -> Renewed:
    """Renew the lease of held ids (running and buffered) only.

    `answered`: the replies to all earlier calls came. What these found trimmed is told again until
    then: no later call could tell it from what was lost.
    """
    if not held:
        return Renewed([], [])
    lost, trimmed = await _RENEW.run(
        client,
        [keys.of(source), keys.failures, keys.state],
        [keys.group, consumer, source.value, int(answered), *held],
    )
    return Renewed(lost, trimmed)


async def hand_back(
    client: Redis,
    keys: GroupKeys,
    consumer: str,
    source: Source,
    entries: Sequence[tuple[bytes, int]],
    *,
    begun: bool = False,
) -> int:
    """Park (id, delivery count) due now; returns how many were ours.

    As if never delivered, unless `begun`: a handler may have had its effect in that delivery.
    """
    if not entries:
        return 0
    pairs = [part for entry in entries for part in entry]
    given: int = await _HAND_BACK.run(
        client,
        [keys.of(source), keys.retry, keys.failures],
        [keys.group, consumer, source.value, "begun" if begun else "these", *pairs],
    )
    return given


async def hand_back_unheld(
    client: Redis,
    keys: GroupKeys,
    consumer: str,
    source: Source,
    held: Sequence[bytes],
    *,
    min_idle_ms: int = 0,
) -> int:
    """Hand back what we own but do not hold: deliveries whose reply was lost.

    With no read under way `min_idle_ms` may be 0; else entries in the reply to come would be taken
    for lost ones. Above 0 the delivery counts: its reply may still come and be handled, and the
    fence must tell it from the next one.
    """
    given: int = await _HAND_BACK.run(
        client,
        [keys.of(source), keys.retry, keys.failures],
        [keys.group, consumer, source.value, "unheld", min_idle_ms, *held],
    )
    return given


async def _with_bodies(
    client: Redis, keys: GroupKeys, rows: list[Any], to: Claimed, most_bytes: float = math.inf
) -> list[tuple[Source, bytes, int]]:
    """Fill in the entries whose ids a script claimed; source, id and delivery count of those that
    were not read. One whose body was trimmed since is ours without our holding it:
    hand_back_unheld clears it."""
    if not rows:
        return []
    sources = [Source(row[0].decode()) for row in rows]
    places = [(keys.of(source), row[1]) for source, row in zip(sources, rows, strict=True)]
    bodies = await read_bodies(client, places, most_bytes)
    for source, (_, id_, count, packed), fields in zip(sources, rows, bodies, strict=False):
        if fields is None:
            to.trimmed.append((source, id_))
        else:
            to.entries.append(ClaimedEntry(source, id_, fields, count, Record.parse(packed)))
    unread = rows[len(bodies) :]
    return [(Source(source.decode()), id_, count) for source, id_, count, _ in unread]


def _ids(rows: list[Any]) -> list[tuple[Source, bytes]]:
    return [(Source(source.decode()), entry_id) for source, entry_id in rows]
