"""Asks a server what it says of itself."""

from redis.asyncio import Redis

from headrace.streams.info import Info, info_of
from headrace.streams.script import call


async def read_info(client: Redis, *sections: str) -> Info:
    """The default sections, unless some are named. Raises redis errors: NOPERM where INFO is not
    permitted."""
    answer = await call(client, ("INFO", *sections))
    return info_of(answer.decode("utf-8", "replace"))
