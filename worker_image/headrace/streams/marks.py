"""Deduplication marks: looked up once per read batch, set by the commit of a success only."""

from collections.abc import Sequence

from redis.asyncio import Redis

from headrace.streams.keys import GroupKeys
from headrace.streams.script import call


async def seen_by(client: Redis, keys: GroupKeys, event_ids: Sequence[str]) -> list[bytes | None]:
    """For each event id the member (`m:<id>`, `r:<id>`) of the entry that handled it, or None."""
    if not event_ids:
        return []
    found = await call(client, ("MGET", *(keys.seen(event_id) for event_id in event_ids)))
    return list(found)
