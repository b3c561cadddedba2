"""Short words for what the tests of this room ask a server."""

import random
from typing import Any

from redis.asyncio import Redis

from headrace.streams.commit import Committer
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.settlement import Park, Settlement


def stream_of(keys: GroupKeys, source: Source) -> str:
    return keys.stream if source is Source.MAIN else keys.replay


async def groups_of(client: Redis, stream: str) -> dict[str, dict[str, Any]]:
    return {row["name"].decode(): row for row in await client.xinfo_groups(stream)}


async def read(
    client: Redis, keys: GroupKeys, consumer: str, count: int, source: Source = Source.MAIN
) -> list[bytes]:
    """Deliver new entries to a consumer, as a worker's read does; their ids."""
    stream = stream_of(keys, source)
    reply = await client.xreadgroup(keys.group, consumer, {stream: ">"}, count=count)
    return [entry_id for _, entries in reply for entry_id, _ in entries]


async def pending(
    client: Redis, keys: GroupKeys, source: Source = Source.MAIN
) -> dict[bytes, tuple[str, int]]:
    """id -> (consumer, delivery count) of the whole PEL."""
    rows = await client.xpending_range(
        stream_of(keys, source), keys.group, min="-", max="+", count=100_000
    )
    return {
        row["message_id"]: (row["consumer"].decode(), int(row["times_delivered"])) for row in rows
    }


async def fill(client: Redis, keys: GroupKeys, count: int, first: int = 1) -> list[bytes]:
    """Append entries with ids 1-0, 2-0, ..."""
    pipeline = client.pipeline(transaction=False)
    for n in range(first, first + count):
        pipeline.xadd(keys.stream, {"type": "t", "n": n}, f"{n}-0")
    ids: list[bytes] = await pipeline.execute()
    return ids


async def park(client: Redis, keys: GroupKeys, ids: list[bytes], delay_ms: int) -> None:
    """Park entries for another try, as the commit of a failing worker does."""
    worker = Committer(keys, f"w{random.random()}", dead_letter_max_length=10)
    for entry in ids:
        await client.xclaim(keys.stream, keys.group, worker.consumer, 0, [entry])
    held = await pending(client, keys)
    await worker.commit(
        client,
        [],
        [
            Settlement(Source.MAIN, entry, held[entry][1], Park(delay_ms, "x"))
            for entry in ids
            if entry in held
        ],
    )
