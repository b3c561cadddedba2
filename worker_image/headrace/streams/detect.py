"""Asks a connection pool once which server it leads to, and refuses one that is too old."""

from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headrace.streams.server import Server, server_of
from headrace.streams.server_info import read_info

_known: WeakKeyDictionary[Any, Server] = WeakKeyDictionary()


async def detect(client: Redis) -> Server:
    """Ask INFO once per connection pool; one that is too old is asked again, as it may be replaced.
    Raises redis errors."""
    pool = client.connection_pool
    if pool in _known:
        return _known[pool]
    server = server_of(await read_info(client, "server"))
    if server.is_supported:
        _known[pool] = server
    return server


async def require_floor(client: Redis) -> Server:
    """The server. Raises TooOld, and redis errors: NOPERM where INFO is not permitted."""
    server = await detect(client)
    if not server.is_supported:
        raise TooOld(f"{server} is too old")
    return server


class TooOld(ResponseError):
    """The server is below the floor; what to do is in `refusals.HINTS`, as of any refusal."""
