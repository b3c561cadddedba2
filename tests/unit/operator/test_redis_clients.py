"""Clients are shared by target and credentials, and credentials are never shown."""

import asyncio

import pytest
from redis.asyncio import Redis

from headrace.streams.connect import StaticCredentials, Target
from headrace_operator.backlog.redis_clients import Access, RedisAccess

TARGET = Target(endpoints=("redis.airport.svc:6379",))


def access(password: str = "s3cret", username: str | None = None) -> Access:
    return Access(TARGET, StaticCredentials(username, password))


def test_equal_credentials_share_a_client_and_others_do_not() -> None:
    pool = RedisAccess()
    assert pool.client(access()) is pool.client(access())
    assert pool.client(access()) is not pool.client(access("rotated"))
    assert pool.client(access()) is not pool.client(access(username="bob"))
    assert pool.client(access()) is not pool.client(Access(TARGET))


def test_no_repr_shows_a_password() -> None:
    one = access("hunter2", "bob")
    pool = RedisAccess()
    pool.remember("airport/flights", one)
    for shown in (repr(one), str(one), repr(pool), repr(pool.client(one)), one.endpoint):
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
    used, unused = pool.client(access()), pool.client(access("rotated"))
    await pool.close_unused()
    assert pool.client(access()) is used
    assert pool.client(access("rotated")) is not unused
    await pool.aclose()


async def test_a_client_whose_call_was_cut_off_does_not_keep_the_others_from_being_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, closed = RedisAccess(), []

    async def close(self: Redis) -> None:
        closed.append(self)
        raise asyncio.CancelledError  # what a cancelled read has left on its connection

    monkeypatch.setattr(Redis, "aclose", close)
    both = {pool.client(access()), pool.client(access("rotated"))}
    await pool.aclose()
    assert set(closed) == both
