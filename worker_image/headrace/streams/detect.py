"""Asks a connection pool once which server it leads to."""

from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import Redis

from headrace.streams.script import call
from headrace.streams.server import Server, parse_info

_known: WeakKeyDictionary[Any, Server] = WeakKeyDictionary()


async def detect(client: Redis) -> Server:
    """Ask INFO once per connection pool. Raises redis errors."""
    pool = client.connection_pool
    if pool not in _known:
        _known[pool] = parse_info((await call(client, ("INFO", "server"))).decode())
    return _known[pool]
