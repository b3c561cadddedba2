"""Fixtures of the Redis room's tests: an empty real server, its client, one stream's keys."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, read
from tests.support.redis_servers import RedisServer, redis_server

from headrace.streams.connect import connect
from headrace.streams.groups import ensure_groups
from headrace.streams.keys import GroupKeys, StreamKeys

__all__ = ["redis_server"]


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A control connection to an empty server."""
    async with connect(redis_server.target, role="control") as client:
        await client.flushall()
        await client.script_flush()
        yield client


@pytest.fixture
def stream() -> StreamKeys:
    return StreamKeys("flights")


@pytest.fixture
def keys(stream: StreamKeys) -> GroupKeys:
    return stream.for_group("delays")


@pytest.fixture
async def held(client: Redis, keys: GroupKeys) -> list[bytes]:
    """Five entries delivered to consumer w1."""
    await ensure_groups(client, keys)
    await fill(client, keys, 5)
    return await read(client, keys, "w1", 5)
