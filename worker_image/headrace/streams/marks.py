"""Deduplication marks: looked up once per read batch, set by the commit of a success only.

A mark is a string key of its own, so that each event is forgotten by itself when the window ends.
"""

from collections.abc import Sequence

from redis.asyncio import Redis

from headrace.streams.keys import GroupKeys
from headrace.streams.script import Command
from headrace.streams.server_info import read_info


def look_up(keys: GroupKeys, event_ids: Sequence[bytes]) -> Command:
    """Asks for each event id; the answer is in order: the member (`m:<id>`, `r:<id>`) of the entry
    that handled it, or None."""
    return ("MGET", *(keys.seen(event_id) for event_id in event_ids))


async def evicting_policy(client: Redis) -> str | None:
    """The server's maxmemory-policy when it may evict marks, else None. Raises redis errors.

    `noeviction` refuses writes instead. Every other policy may take a mark: all of them expire.
    """
    memory = await read_info(client, "memory")
    policy = memory.get("maxmemory_policy", "noeviction")
    return None if policy == "noeviction" or memory.get("maxmemory") == "0" else str(policy)
