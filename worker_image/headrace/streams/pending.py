"""Who holds which entries of a group: its pending entries, page by page. Nothing is claimed."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headrace.streams.entries import Source
from headrace.streams.keys import PARKED, GroupKeys
from headrace.streams.script import call

PAGE_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """One entry that was delivered and is not settled.

    `idle_ms`: since it was delivered, or its holder last renewed it. `due_at_ms`: server time of a
    parked entry's next try; None where that is not known, or nobody asked.
    """

    source: Source
    id: bytes
    consumer: str
    idle_ms: int
    deliveries: int
    due_at_ms: int | None = None

    @property
    def parked(self) -> bool:
        return self.consumer == PARKED


async def pending_pages(
    client: Redis, keys: GroupKeys, *, with_due: bool = False
) -> AsyncIterator[list[PendingEntry]]:
    """The pending entries by id, those of the replay stream last. Raises redis errors.

    `with_due` asks when parked entries fall due.
    """
    for source in Source:
        after = "-"
        while True:
            rows = await _page(client, keys, source, after)
            if not rows:
                break
            due = await _due(client, keys, source, rows) if with_due else {}
            yield [_entry(source, row, due) for row in rows]
            after = "(" + rows[-1][0].decode()


async def pending_at(client: Redis, stream: str, group: str, id_: str) -> PendingEntry | None:
    """The pending entry with this id; None where it is not pending. Raises redis errors."""
    rows = await call(client, ("XPENDING", stream, group, id_, id_, 1))
    return _entry(Source.MAIN, rows[0], {}) if rows else None


async def _page(client: Redis, keys: GroupKeys, source: Source, after: str) -> list[Any]:
    command = ("XPENDING", keys.of(source), keys.group, after, "+", PAGE_ENTRIES)
    try:
        rows: list[Any] = await call(client, command)
    except ResponseError as error:
        # A group that Headrace did not make has no replay stream.
        if source is Source.REPLAY and "NOGROUP" in str(error):
            return []
        raise
    return rows


async def _due(
    client: Redis, keys: GroupKeys, source: Source, rows: Sequence[Any]
) -> dict[bytes, int]:
    ids = [row[0] for row in rows if row[1] == PARKED.encode()]
    if not ids:
        return {}
    scores = await call(client, ("ZMSCORE", keys.retry, *(source.member(one) for one in ids)))
    return {
        id_: int(float(score)) for id_, score in zip(ids, scores, strict=True) if score is not None
    }


def _entry(source: Source, row: Any, due: dict[bytes, int]) -> PendingEntry:
    id_, consumer, idle, deliveries = row
    return PendingEntry(
        source, id_, consumer.decode("utf-8", "replace"), idle, deliveries, due.get(id_)
    )
