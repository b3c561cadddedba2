"""How much memory a key takes, by the server's own estimate."""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headrace.streams.script import call


async def memory_of(client: Redis, key: str) -> int | None:
    """Bytes, from a few sampled entries; None where this user may not ask. Raises connection
    errors."""
    try:
        return int(await call(client, ("MEMORY", "USAGE", key)) or 0)
    except ResponseError:
        return None
