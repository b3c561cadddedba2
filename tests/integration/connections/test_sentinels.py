"""Sentinels with passwords and TLS of their own, some of them away, and what they get wrong."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer
from tests.support.redis_tls import NAME, certificates
from tests.support.redis_topologies import MASTER, SentinelSet, plain, sentinel_set, until

from headrace.streams import refusals
from headrace.streams.connect import Mode, Target, Tls, connect, connect_blocking
from headrace.streams.credentials import StaticCredentials
from headrace_operator.backlog import redis_errors

__all__ = ["certificates"]

SERVERS, SENTINELS = "s3cret-of-servers", "s3cret-of-sentinels"


@pytest.fixture(scope="module")
def topology() -> Iterator[SentinelSet]:
    with sentinel_set() as started:
        yield started


@pytest.fixture
def target(topology: SentinelSet) -> Target:
    return Target(tuple(topology.settings["endpoints"]), Mode.SENTINEL, sentinel_master=MASTER)


@asynccontextmanager
async def client(target: Target, password: str | None = None) -> AsyncIterator[Redis]:
    credentials = StaticCredentials(None, password) if password is not None else None
    opened = connect(target, credentials, role="control")
    try:
        yield opened
    finally:
        await opened.aclose()


def blocking_answer(target: Target, password: str | None = None) -> object:
    """As the thread of a sync handler gets it."""
    credentials = StaticCredentials(None, password) if password is not None else None
    with contextlib.closing(connect_blocking(target, credentials)) as opened:
        return opened.ping()


async def message_of(target: Target, password: str | None = None) -> str:
    async with client(target, password) as opened:
        with pytest.raises(redis.RedisError) as error:
            await opened.ping()
    return refusals.describe(error.value)


def primary_of(sentinel: RedisServer) -> int:
    return int(plain(sentinel.port).sentinel_get_master_addr_by_name(MASTER)[1])


async def test_sentinels_that_are_away_are_passed_over(topology: SentinelSet) -> None:
    closed = f"127.0.0.1:{free_port()}"
    endpoints = (closed, "nowhere.invalid:26379", topology.sentinels[2].endpoint)
    async with client(Target(endpoints, Mode.SENTINEL, sentinel_master=MASTER)) as opened:
        assert await opened.ping()


async def test_a_primary_that_no_sentinel_knows_is_told_with_each_reason(target: Target) -> None:
    closed = f"127.0.0.1:{free_port()}"
    said = await message_of(
        replace(target, endpoints=(target.endpoints[0], closed), sentinel_master="other")
    )
    assert said.startswith("no sentinel names a primary 'other' that is up")
    assert f"{target.endpoints[0]}: knows no primary of this name" in said
    assert f"{closed}: " in said


async def test_an_address_that_cannot_be_reached_is_told_with_what_to_set(
    topology: SentinelSet, target: Target
) -> None:
    """The sentinels believe in it for as long as `down-after`."""
    away = free_port()
    sentinel = plain(topology.sentinels[0].port)
    sentinel.execute_command("SENTINEL", "MONITOR", "away", "127.0.0.1", away, 2)
    sentinel.execute_command("SENTINEL", "SET", "away", "down-after-milliseconds", 600_000)
    said = await message_of(replace(target, sentinel_master="away"))
    assert f"the sentinels give 127.0.0.1:{away} as primary 'away'" in said
    assert "replica-announce-ip" in said


async def test_passwords_of_the_servers_and_of_the_sentinels() -> None:
    with sentinel_set() as topology:
        topology.protect(SERVERS, SENTINELS)
        endpoints = tuple(topology.settings["endpoints"])
        open_target = Target(endpoints, Mode.SENTINEL, sentinel_master=MASTER)
        target = replace(open_target, sentinel_credentials=StaticCredentials(None, SENTINELS))
        async with client(target, SERVERS) as opened:
            assert await opened.set("a", "1")
        assert await asyncio.to_thread(blocking_answer, target, SERVERS)
        # Each of the two may be missing or wrong, and is told apart.
        wrong = replace(open_target, sentinel_credentials=StaticCredentials(None, "s3cret-wrong"))
        told = {
            "none for the sentinels": await message_of(open_target, SERVERS),
            "a wrong one for the sentinels": await message_of(wrong, SERVERS),
            "none for the servers": await message_of(target),
            "a wrong one for the servers": await message_of(target, "s3cret-wrong"),
        }
        assert "s3cret" not in str(told)
        where = {case: refusals.hint(said) for case, said in told.items()}
        sentinels, servers = "redis.sentinel.credentialsSecretRef", "redis.credentialsSecretRef"
        assert sentinels in where["none for the sentinels"]
        assert sentinels in where["a wrong one for the sentinels"]
        assert servers in where["none for the servers"]
        assert servers in where["a wrong one for the servers"]


async def test_the_documented_user_is_enough_for_sentinels(
    topology: SentinelSet, target: Target
) -> None:
    page = (Path(__file__).parents[3] / "docs/redis.md").read_text("utf-8")
    (line,) = re.findall(r"`(ACL SETUSER headrace .*sentinel\|masters)`", page)
    for sentinel in topology.sentinels:
        plain(sentinel.port).execute_command(*line.replace("PASSWORD", SENTINELS).split())
    limited = replace(target, sentinel_credentials=StaticCredentials("headrace", SENTINELS))
    async with client(limited) as opened:
        assert await opened.ping()
    assert await asyncio.to_thread(blocking_answer, limited)
    for sentinel in topology.sentinels:
        assert plain(sentinel.port).acl_log() == []
        plain(sentinel.port).execute_command("ACL", "DELUSER", "headrace")


async def test_servers_and_sentinels_speak_tls(certificates: dict[str, Path]) -> None:
    with sentinel_set(certificates=certificates) as topology:
        target = Target(
            tuple(f"127.0.0.1:{port}" for port in topology.tls_ports[2:]),
            Mode.SENTINEL,
            sentinel_master=MASTER,
            tls=Tls(
                ca_file=str(certificates["ca.crt"]),
                cert_file=str(certificates["tls.crt"]),
                key_file=str(certificates["tls.key"]),
                server_name=NAME,
            ),
        )
        async with client(target) as opened:
            before = (await opened.info("server"))["tcp_port"]
            plain(topology.sentinels[0].port).execute_command("SENTINEL", "FAILOVER", MASTER)
            replica = topology.servers[1]
            until(lambda: plain(replica.port).role()[0] == b"master", "a failover")
            for sentinel in topology.sentinels:
                until(lambda at=sentinel: primary_of(at) == topology.tls_ports[1], "the news")
            await opened.connection_pool.disconnect()
            assert (await opened.info("server"))["tcp_port"] != before
        assert await asyncio.to_thread(blocking_answer, target)
        without = await message_of(replace(target, tls=None))
        assert "no sentinel names a primary" in without


async def test_a_server_in_place_of_a_sentinel_is_told(topology: SentinelSet) -> None:
    target = Target((topology.servers[0].endpoint,), Mode.SENTINEL, sentinel_master=MASTER)
    assert "write the sentinels' addresses" in (refusals.hint(await message_of(target)) or "")


async def test_a_status_tells_what_sentinels_say_and_not_what_the_network_does(
    target: Target,
) -> None:
    closed = f"127.0.0.1:{free_port()}"
    mixed = replace(target, endpoints=(closed, target.endpoints[0]), sentinel_master="other")
    nobody = replace(target, endpoints=(closed,))
    for subject, said, is_refused in (
        (mixed, f"({target.endpoints[0]}: knows no primary of this name)", False),
        (nobody, redis_errors.NO_ANSWER, False),
    ):
        async with client(subject) as opened:
            with pytest.raises(redis.RedisError) as error:
                await opened.ping()
        told = redis_errors.for_people(error.value)
        assert said in told
        assert closed not in told
        assert redis_errors.is_refusal(error.value) is is_refused
