"""Commands leave at once. A reply may take its time as long as it comes, and may be given up when
it grows too large."""

from collections.abc import Iterator

import pytest
import redis
from redis.asyncio import Redis
from tests.crash.proxy import Proxy
from tests.support.redis_servers import RedisServer

from headrace.streams.connect import Target, connect
from headrace.streams.connection import AsyncConnection, ReplyTooLarge

MEGABYTE = 1_000_000


def idle_connection(client: Redis) -> AsyncConnection:
    (connection,) = client.connection_pool._available_connections
    assert isinstance(connection, AsyncConnection)
    return connection


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(redis_server.port, seed=1)
    proxy.start()
    yield proxy
    proxy.stop()


async def test_a_reply_that_comes_in_slowly_is_waited_for(client: Redis, proxy: Proxy) -> None:
    await client.set("large", MEGABYTE * b"x")
    async with connect(Target((f"127.0.0.1:{proxy.port}",)), role="control") as slow:
        await slow.ping()
        connection = idle_connection(slow)
        connection.socket_timeout = 0.5
        proxy.slow_down(MEGABYTE / 1.5, seconds=60)
        assert len(await slow.get("large")) == MEGABYTE
        assert connection.seconds > 1.0


async def test_a_reply_of_which_nothing_comes_is_given_up(client: Redis, proxy: Proxy) -> None:
    async with connect(Target((f"127.0.0.1:{proxy.port}",)), role="control") as slow:
        await slow.ping()
        connection = idle_connection(slow)
        connection.socket_timeout = 0.2
        proxy.stall(60)
        with pytest.raises(redis.TimeoutError, match=r"no answer from Redis for 0\.2 s"):
            await slow.ping()
        assert not connection.is_connected


async def test_a_reply_that_grows_too_large_is_given_up(client: Redis) -> None:
    await client.set("large", MEGABYTE * b"x")
    connection = idle_connection(client)
    connection.max_bytes = MEGABYTE // 2
    with pytest.raises(ReplyTooLarge):
        await client.get("large")
    assert connection.received < MEGABYTE
    connection.max_bytes = 2 * MEGABYTE
    assert len(await client.get("large")) == MEGABYTE


async def test_a_command_is_sent_before_anything_else_has_its_turn(client: Redis) -> None:
    await client.ping()
    connection = idle_connection(client)
    connection.socket_timeout = 5.0
    sending = connection.send_packed_command([b"*1\r\n$4\r\nPING\r\n"], check_health=False)
    with pytest.raises(StopIteration):  # it never waited for the loop
        sending.send(None)
    assert await connection.read_response() == b"PONG"


async def test_a_command_that_nobody_takes_is_given_up(client: Redis, proxy: Proxy) -> None:
    async with connect(Target((f"127.0.0.1:{proxy.port}",)), role="control") as slow:
        await slow.ping()
        connection = idle_connection(slow)
        connection.socket_timeout = 0.2
        proxy.stall(60)
        with pytest.raises(redis.TimeoutError, match=r"Redis took no command for 0\.2 s"):
            await slow.set("large", 50 * MEGABYTE * b"x")
        assert not connection.is_connected
