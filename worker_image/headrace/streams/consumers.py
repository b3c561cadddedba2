"""Consumers that own nothing are deleted, with what is kept for them in `state`."""

from redis.asyncio import Redis

from headrace.streams.keys import PARKED, GroupKeys
from headrace.streams.script import Script, call

_DELETE_CONSUMER = Script("delete_consumer")
_DELETE_DEAD_CONSUMERS = Script("delete_dead_consumers")
_MAX_DELETIONS = 100


async def delete_if_empty(client: Redis, keys: GroupKeys, consumer: str) -> bool:
    """Delete the consumer and its flush number, in the script that sees both its PELs empty."""
    return bool(
        await _DELETE_CONSUMER.run(
            client, [keys.stream, keys.replay, keys.state], [keys.group, consumer]
        )
    )


async def delete_dead(client: Redis, keys: GroupKeys, consumer: str, *, min_idle_ms: int) -> int:
    """Delete consumers other than us and the parked one that are empty and silent that long.

    A hundred at most. Also drops flush numbers of consumers that are in neither stream: a process
    that died before its first read leaves one. Lists of thousands never pass through a script.
    """
    flushed = await _flushed(client, keys)
    known: set[bytes] = set()
    busy = {consumer.encode(), PARKED.encode()}
    for stream in (keys.stream, keys.replay):
        for flat in await call(client, ("XINFO", "CONSUMERS", stream, keys.group)):
            row = dict(zip(flat[::2], flat[1::2], strict=True))
            known.add(row[b"name"])
            if row[b"pending"] > 0 or row[b"idle"] < min_idle_ms:
                busy.add(row[b"name"])
    if gone := list(flushed - known - busy)[:_MAX_DELETIONS]:
        await call(client, ("HDEL", keys.state, *(b"flush:" + name for name in gone)))
    dead = sorted(known - busy)[:_MAX_DELETIONS]
    if not dead:
        return 0
    deleted: int = await _DELETE_DEAD_CONSUMERS.run(
        client, [keys.stream, keys.replay, keys.state], [keys.group, *dead]
    )
    return deleted


async def _flushed(client: Redis, keys: GroupKeys) -> set[bytes]:
    """The consumers that have a flush number."""
    found: set[bytes] = set()
    cursor = b"0"
    while True:
        cursor, flat = await call(
            client, ("HSCAN", keys.state, cursor, "MATCH", "flush:*", "COUNT", 500)
        )
        found |= {field.removeprefix(b"flush:") for field in flat[::2]}
        if cursor == b"0":
            return found
