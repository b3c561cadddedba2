"""Which server answers: Redis or Valkey, its version, and what follows from it."""

from dataclasses import dataclass

from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Server:
    """`name` is "redis" or "valkey"; `version` its own version, not the one it pretends to be."""

    name: str
    version: tuple[int, ...]


async def detect(client: Redis) -> Server:
    """Ask INFO once per connection pool. Raises redis errors."""
    raise NotImplementedError
