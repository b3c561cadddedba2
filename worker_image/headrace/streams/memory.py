"""How much memory keys take, and how much a server has, by the server's own estimate."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from headrace.streams.info import Info

SAMPLES = 100
"""Nodes of a stream that are looked at: their sizes are known, so a look costs microseconds."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: what counts against maxmemory, and maxmemory (0: no limit)."""

    used: int
    limit: int


def room_of(info: Info) -> Room | None:
    """From INFO memory; None where it does not say, as behind a proxy."""
    try:
        used, limit = int(info["used_memory"]), int(info["maxmemory"])
        # Buffers of replicas and of the append-only file do not count.
        return Room(max(used - int(info.get("mem_not_counted_for_evict", 0)), 0), limit)
    except (KeyError, ValueError):
        return None


async def memory_of(client: Redis, key: str) -> int | None:
    """Bytes, from a few sampled entries; None where this user may not ask. Raises connection
    errors."""
    return (await memories_of(client, [key]))[0]


async def memories_of(client: Redis, keys: Sequence[str]) -> list[int | None]:
    """The same of several keys, in one write; 0 of a key that is not there."""
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.execute_command("MEMORY", "USAGE", key, "SAMPLES", SAMPLES)
    replies = await pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, RedisConnectionError):
            raise reply
    return [None if isinstance(reply, ResponseError) else int(reply or 0) for reply in replies]
