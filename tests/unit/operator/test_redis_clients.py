"""Clients are shared by target and credentials, and credentials are never shown."""

import asyncio

import pytest
from redis.asyncio import Redis

from headrace.streams.connect import Target
from headrace.streams.credentials import StaticCredentials
from headrace_operator.backlog.redis_clients import Access, RedisAccess

TARGET = Target(endpoints=("redis.airport.svc:6379",))


def access(password: str = "s3cret", username: str | None = None) -> Access:
    return Access(TARGET, StaticCredentials(username, password))


async def test_equal_credentials_share_a_client_and_others_do_not() -> None:
    pool = RedisAccess()
    assert await pool.client(access(), "s") is await pool.client(access(), "s")
    assert await pool.client(access(), "s") is not await pool.client(access("rotated"), "flights")
    assert await pool.client(access(), "s") is not await pool.client(
        access(username="bob"), "flights"
    )
    assert await pool.client(access(), "s") is not await pool.client(Access(TARGET), "flights")


async def test_no_repr_shows_a_password() -> None:
    one = access("hunter2", "bob")
    pool = RedisAccess()
    pool.remember("airport/flights", one)
    client = await pool.client(one, "s")
    for shown in (repr(one), str(one), repr(pool), repr(client), one.endpoint):
        assert "hunter2" not in shown


def test_credentials_are_recalled_after_their_secret_is_gone() -> None:
    pool = RedisAccess()
    pool.remember("airport/flights", access())
    assert pool.recall("airport/flights") == access()
    pool.forget("airport/flights")
    assert pool.recall("airport/flights") is None


async def test_only_clients_that_nobody_remembers_are_closed() -> None:
    pool = RedisAccess()
    pool.remember("airport/flights", access())
    used, unused = (
        await pool.client(access(), "s"),
        await pool.client(access("rotated"), "s"),
    )
    await pool.close_unused()
    assert await pool.client(access(), "s") is used
    assert await pool.client(access("rotated"), "s") is not unused
    await pool.aclose()


async def test_a_client_whose_call_was_cut_off_does_not_keep_the_others_from_being_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, closed = RedisAccess(), []

    async def close(self: Redis) -> None:
        closed.append(self)
        raise asyncio.CancelledError  # what a cancelled read has left on its connection

    monkeypatch.setattr(Redis, "aclose", close)
    both = {await pool.client(access(), "s"), await pool.client(access("rotated"), "s")}
    await pool.aclose()
    assert set(closed) == both
