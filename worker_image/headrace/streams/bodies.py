"""Bodies of entries whose ids are known. They are read outside of scripts, where a body costs the
server a thirtieth of the time, and no more of them than the reader has room for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from hiredis import pack_command
from redis.asyncio import Redis

from headrace.streams.connection import AsyncConnection, AsyncTlsConnection

Place: TypeAlias = tuple[str, bytes]
"""(stream, id)"""

FIRST_COUNT, GROWTH, MAX_COUNT = 8, 4, 1_000
"""How many are asked for in one write: a large one may come after many small ones."""


async def read_bodies(
    client: Redis, places: Sequence[Place], most_bytes: float = math.inf
) -> list[list[bytes] | None]:
    """The flat fields of these entries, in order; None for one that is not in its stream. One at
    least; the list ends early once they weigh `most_bytes` together. Raises redis errors."""
    connection = await client.connection_pool.get_connection()
    assert isinstance(connection, (AsyncConnection, AsyncTlsConnection))
    found: list[list[bytes] | None] = []
    size, largest, asked = 0, 1, FIRST_COUNT
    try:
        while len(found) < len(places) and (not found or size < most_bytes):
            part = places[len(found) : len(found) + asked]
            commands = [(b"XRANGE", stream, id_, id_) for stream, id_ in part]
            await connection.send_packed_command(
                [pack_command(command) for command in commands],  # type: ignore[arg-type]
                check_health=False,
            )
            for left in range(len(part) - 1, -1, -1):
                rows = await connection.read_response()
                found.append(rows[0][1] if rows else None)
                size, largest = size + connection.received, max(largest, connection.received)
                if size >= most_bytes and left:
                    await connection.disconnect(nowait=True)
                    break
            asked = max(1, min(GROWTH * asked, _fitting(most_bytes - size, largest)))
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    finally:
        await client.connection_pool.release(connection)
    return found


def _fitting(room: float, largest: int) -> int:
    return int(min(room / largest, MAX_COUNT))
