"""The poller against real servers: one connection, the whole fleet, no harm to others."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.support.redis_servers import RedisServer, redis_server, running

from headrace.streams.backlog import StreamBacklog
from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.connect import Target, connect
from headrace.streams.credentials import StaticCredentials
from headrace.streams.durability import Danger
from headrace.streams.keys import StreamKeys
from headrace_operator.backlog import endpoint, redis_errors
from headrace_operator.backlog.endpoint import BATCH, Subject
from headrace_operator.backlog.pace import ROUNDS, SHARE
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import CLIENT_NAME, Access, RedisAccess
from headrace_operator.backlog.server_watch import ServerWatch
from headrace_operator.backlog.wakeups import Reading, ScalingTarget

__all__ = ["redis_server"]

INTERVAL = 0.1


class Fleet:
    """A poller, what it called, and a way to wait for it."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self.redis = RedisAccess()
        self.changed: list[str] = []
        self.poller = BacklogPoller(self.redis, self.changed.append, interval)

    async def aclose(self) -> None:
        await self.poller.aclose()
        await self.redis.aclose()

    def watch(
        self, key: str, server: RedisServer, stream: str, *groups: str, target: int = 100
    ) -> None:
        access = Access(server.target)
        steps = {group: ScalingTarget(target, 10) for group in groups}
        self.redis.remember(key, access)
        self.poller.watch(key, Subject(access, StreamKeys(stream), groups, steps))

    async def until(
        self, key: str, holds: Callable[[Reading], bool], seconds: float = 20
    ) -> Reading:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            reading = self.poller.reading(key)
            if reading is not None and holds(reading):
                return reading
            await asyncio.sleep(0.01)
        raise AssertionError(f"{key}: last seen {self.poller.reading(key)}")


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    fleet = Fleet()
    yield fleet
    await fleet.aclose()


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with connect(redis_server.target, role="control") as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="module")
def other_server() -> Iterator[RedisServer]:
    with running("redis") as server:
        yield server


@pytest.mark.timeout(60)
@pytest.mark.parametrize("turns", range(6))
async def test_it_ends_also_when_a_pipeline_comes_at_that_very_moment(
    other_server: RedisServer, turns: int
) -> None:
    fleet = Fleet()
    fleet.watch("n/first", other_server, "s", "g")
    await fleet.until("n/first", lambda _: True)
    fleet.watch("n/second", other_server, "s", "g")
    for _ in range(turns):  # of the event loop: a cancellation may meet any of them
        await asyncio.sleep(0)
    await asyncio.wait_for(fleet.poller.aclose(), 5)
    await fleet.redis.aclose()


def ready(number: int, group: str = "g") -> Callable[[Reading], bool]:
    return lambda r: r.backlog is not None and r.backlog.groups[group].ready == number


def failed(reading: Reading) -> bool:
    return reading.error is not None


async def add(client: Redis, stream: str, entries: int) -> None:
    pipe = client.pipeline(transaction=False)
    for n in range(entries):
        pipe.xadd(stream, {"n": n})
    await pipe.execute()


async def stream_with_group(client: Redis, stream: str, entries: int = 0) -> None:
    await client.xgroup_create(stream, "g", "0", mkstream=True)
    await add(client, stream, entries)


async def test_a_fleet_is_read_over_one_connection(
    fleet: Fleet, redis_server: RedisServer, client: Redis
) -> None:
    for n in range(250):
        await stream_with_group(client, f"s{n}", entries=n % 3)
        fleet.watch(f"ns/p{n}", redis_server, f"s{n}", "g")
    for n in range(250):
        await fleet.until(f"ns/p{n}", ready(n % 3))
    mine = [c for c in await client.client_list() if c["name"] == CLIENT_NAME]
    assert len(mine) == 1


@dataclass
class Rounds:
    """The batches that were read, and how long each is made to take."""

    batches: list[int] = field(default_factory=list)
    seconds: float = 0.0
    begun: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    seen = Rounds()

    async def read(client: Redis, queries: list[Any], before: Any) -> list[StreamBacklog]:
        seen.batches.append(len(queries))
        seen.begun.set()
        await asyncio.sleep(seen.seconds)
        return await read_backlogs(client, queries, before=before)

    monkeypatch.setattr(endpoint, "read_backlogs", read)
    return seen


async def test_a_fleet_is_read_in_bounded_batches(
    fleet: Fleet, other_server: RedisServer, rounds: Rounds
) -> None:
    for n in range(2 * BATCH + 1):
        fleet.watch(f"ns/p{n}", other_server, f"s{n}", "g")
    for n in range(2 * BATCH + 1):
        await fleet.until(f"ns/p{n}", lambda _: True)
    assert rounds.batches[:3] == [BATCH, BATCH, 1]


async def test_a_slow_server_is_read_less_often(
    fleet: Fleet, other_server: RedisServer, rounds: Rounds
) -> None:
    fleet.watch("ns/p", other_server, "s", "g")
    quick = [await fleet.until("ns/p", lambda _: True)]
    quick.append(await fleet.until("ns/p", lambda r: r.clock > quick[0].clock))
    assert quick[1].clock - quick[0].clock < 4 * INTERVAL
    rounds.seconds = INTERVAL
    slow = [await fleet.until("ns/p", lambda r: r.clock > quick[1].clock + INTERVAL)]
    for _ in range(ROUNDS + 1):
        slow.append(await fleet.until("ns/p", lambda r: r.clock > slow[-1].clock))
    assert slow[-1].clock - slow[-2].clock > 0.9 * SHARE * INTERVAL


async def test_one_round_that_is_held_up_does_not_delay_the_next(
    fleet: Fleet, other_server: RedisServer, rounds: Rounds
) -> None:
    fleet.watch("ns/p", other_server, "s", "g")
    await fleet.until("ns/p", lambda _: True)
    held_up = 10 * INTERVAL
    rounds.begun.clear()
    rounds.seconds = held_up
    await rounds.begun.wait()
    rounds.seconds = 0.0
    began = time.monotonic()
    late = await fleet.until("ns/p", lambda r: r.clock > began)
    assert late.clock - began > 0.9 * held_up
    after = await fleet.until("ns/p", lambda r: r.clock > late.clock)
    assert after.clock - late.clock < SHARE * held_up / 2


async def test_a_server_answers_only_when_it_was_asked(fleet: Fleet, rounds: Rounds) -> None:
    """Of a pipeline that came during a round that failed there is nothing new to ask."""
    access = Access(Target(endpoints=("127.0.0.1:1",)))
    rounds.seconds = INTERVAL / 2
    fleet.poller.watch("ns/first", Subject(access, StreamKeys("s"), ("g",)))
    await rounds.begun.wait()
    fleet.poller.watch("ns/second", Subject(access, StreamKeys("s"), ("g",)))
    while len(rounds.batches) < 2:
        assert not fleet.poller.answers(access)
        await asyncio.sleep(0)
    assert failed(await fleet.until("ns/second", lambda _: True))


async def test_what_needs_another_worker_is_told_at_once_and_standstill_never(
    fleet: Fleet, redis_server: RedisServer, client: Redis
) -> None:
    await stream_with_group(client, "s", entries=90)
    fleet.watch("ns/p", redis_server, "s", "g")
    clock = (await fleet.until("ns/p", ready(90))).clock
    rounds = await commands_seen(client) + 3
    while await commands_seen(client) < rounds:
        clock = (await fleet.until("ns/p", lambda r, last=clock: r.clock > last)).clock
    assert fleet.changed == ["ns/p"]
    await add(client, "s", 20)
    await fleet.until("ns/p", ready(110))
    assert fleet.changed == ["ns/p", "ns/p"]


async def test_who_asks_gets_a_newer_reading_at_once_and_is_told_of_it(
    redis_server: RedisServer, client: Redis
) -> None:
    await stream_with_group(client, "s", 3)
    fleet = Fleet(interval=60)
    try:
        fleet.watch("ns/p", redis_server, "s", "g")
        await fleet.until("ns/p", ready(3))
        fleet.changed.clear()
        asked = fleet.poller.ask("ns/p")
        answer = await fleet.until("ns/p", lambda r: r.clock >= asked, seconds=5)
        assert ready(3)(answer)
        assert fleet.changed == ["ns/p"], "although no figure moved"
    finally:
        await fleet.aclose()


async def test_it_is_told_how_a_server_may_lose_the_stream(
    fleet: Fleet, redis_server: RedisServer, client: Redis
) -> None:
    await stream_with_group(client, "s")
    fleet.watch("ns/p", redis_server, "s", "g")
    reading = await fleet.until("ns/p", lambda r: r.backlog is not None)
    assert reading.risk is not None
    assert reading.risk.danger is Danger.NOT_PERSISTENT


async def test_a_risk_is_asked_for_once_a_minute(client: Redis) -> None:
    now = 0.0
    watch = ServerWatch(lambda: now)

    async def danger() -> Danger | None:
        risk = (await watch.report_of(client)).risk
        return risk.danger if risk else None

    try:
        assert await danger() is Danger.NOT_PERSISTENT
        await client.config_set("maxmemory-policy", "allkeys-lru")
        await client.config_set("maxmemory", "1gb")
        now += 59
        assert await danger() is Danger.NOT_PERSISTENT
        now += 2
        assert await danger() is Danger.EVICTABLE
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("appendonly", "yes")
        now += 61
        assert await danger() is None
        await client.config_set("appendfsync", "no")
        now += 3_600
        assert await danger() is Danger.NOT_PERSISTENT
    finally:
        await client.config_set("appendfsync", "everysec")
        await client.config_set("appendonly", "no")
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "0")


async def test_it_weighs_each_stream_and_leaves_out_what_it_may_not_ask(
    fleet: Fleet, redis_server: RedisServer, client: Redis
) -> None:
    await stream_with_group(client, "s", entries=2_000)
    usage = await client.memory_usage("s", samples=0)
    fleet.watch("ns/p", redis_server, "s", "g")
    fleet.watch("ns/none", redis_server, "nothing", "g")
    reading = await fleet.until("ns/p", lambda r: r.backlog is not None)
    assert reading.stream_bytes == pytest.approx(usage, rel=0.1)
    none = await fleet.until("ns/none", lambda r: r.backlog is not None)
    assert none.stream_bytes is None
    await client.xadd("nothing", {"n": 1})
    await fleet.until("ns/none", lambda r: bool(r.stream_bytes))
    await client.execute_command("ACL", "SETUSER", "default", "-memory|usage")
    try:
        fleet.watch("ns/q", redis_server, "s", "g")
        reading = await fleet.until("ns/q", lambda r: r.backlog is not None)
        assert (reading.stream_bytes, reading.error) == (None, None)
    finally:
        await client.execute_command("ACL", "SETUSER", "default", "+@all")


async def test_it_says_when_a_server_is_full_if_it_grows_on(client: Redis) -> None:
    now = 0.0
    watch = ServerWatch(lambda: now)
    try:
        await client.config_set("maxmemory", "400mb")
        assert (await watch.report_of(client)).full_in is None
        before = (await client.info("memory"))["used_memory"]
        await client.set("ballast", b"x" * 20_000_000)
        used = (await client.info("memory"))["used_memory"]
        now = 1_200.0
        full_in = (await watch.report_of(client)).full_in
        wanted = (400 * 2**20 - used) * 1_200 / (used - before)
        assert full_in == pytest.approx(wanted, rel=0.1)
        await client.config_set("maxmemory", "0")
        now += 61
        assert (await watch.report_of(client)).full_in is None
    finally:
        await client.config_set("maxmemory", "0")


async def commands_seen(client: Redis) -> int:
    stats = await client.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in
               ("evalsha_ro", "eval_ro", "evalsha", "eval"))  # fmt: skip


async def test_a_missing_group_and_a_wrong_type_are_no_zero_and_harm_no_neighbour(
    fleet: Fleet, redis_server: RedisServer, client: Redis
) -> None:
    await stream_with_group(client, "good", entries=3)
    await client.set("text", "no stream")
    await add(client, "groupless", 5)
    fleet.watch("ns/good", redis_server, "good", "g")
    fleet.watch("ns/text", redis_server, "text", "g")
    fleet.watch("ns/groupless", redis_server, "groupless", "g")
    await fleet.until("ns/good", ready(3))
    text = await fleet.until("ns/text", lambda r: r.backlog is not None)
    assert text.backlog is not None
    assert "WRONGTYPE" in str(text.backlog.error)
    groupless = await fleet.until("ns/groupless", lambda r: r.backlog is not None)
    assert groupless.backlog is not None
    assert not groupless.backlog.groups["g"].exists


async def test_a_subject_that_cannot_be_asked_for_harms_only_itself(
    fleet: Fleet, redis_server: RedisServer, client: Redis
) -> None:
    await stream_with_group(client, "good", entries=3)
    fleet.watch("ns/poisoned", redis_server, "good", "")
    fleet.watch("ns/good", redis_server, "good", "g")
    await fleet.until("ns/good", ready(3))
    poisoned = await fleet.until("ns/poisoned", failed)
    assert poisoned.backlog is None
    await add(client, "good", 1)
    await fleet.until("ns/good", ready(4))


async def test_a_server_that_dies_is_an_error_and_one_that_comes_back_is_read(
    fleet: Fleet,
) -> None:
    with running("redis") as server:
        async with connect(server.target, role="control") as client:
            await stream_with_group(client, "s", entries=2)
        fleet.watch("ns/p", server, "s", "g")
        await fleet.until("ns/p", ready(2))
        server.kill()
        gone = await fleet.until("ns/p", failed)
        assert gone.backlog is None
        assert not gone.refused
        server.start()
        async with connect(server.target, role="control") as client:
            await stream_with_group(client, "s", entries=1)
        await fleet.until("ns/p", ready(1))
    assert fleet.changed[:3] == ["ns/p"] * 3


async def test_a_stuck_server_delays_no_other(
    fleet: Fleet, redis_server: RedisServer, client: Redis, other_server: RedisServer
) -> None:
    await stream_with_group(client, "s")
    fleet.watch("ns/stuck", other_server, "s", "g")
    fleet.watch("ns/good", redis_server, "s", "g")
    await fleet.until("ns/good", ready(0))
    await fleet.until("ns/stuck", lambda r: r.backlog is not None)
    assert other_server.process is not None
    os.kill(other_server.process.pid, signal.SIGSTOP)
    try:
        for n in range(1, 4):
            await add(client, "s", 1)
            # far below the 5 s after which the stuck server is given up
            await fleet.until("ns/good", ready(n), seconds=2)
    finally:
        os.kill(other_server.process.pid, signal.SIGCONT)


async def test_refused_credentials_are_told_apart_and_never_shown(fleet: Fleet) -> None:
    with running("redis") as server:
        async with connect(server.target, role="control") as client:
            await client.config_set("requirepass", "right")
        access = Access(server.target, StaticCredentials(None, "hunter2"))
        fleet.poller.watch("ns/p", Subject(access, StreamKeys("s"), ("g",)))
        reading = await fleet.until("ns/p", failed)
    assert reading.refused
    assert "hunter2" not in str(reading)


async def test_the_same_subject_again_changes_nothing_and_forgetting_ends_the_polling(
    fleet: Fleet, redis_server: RedisServer, client: Redis
) -> None:
    await stream_with_group(client, "s")
    fleet.watch("ns/p", redis_server, "s", "g")
    first = await fleet.until("ns/p", ready(0))
    fleet.watch("ns/p", redis_server, "s", "g")
    assert fleet.poller.reading("ns/p") is first
    fleet.poller.forget("ns/p")
    assert fleet.poller.reading("ns/p") is None
    fleet.poller.forget("ns/p")


async def test_an_unreachable_endpoint_is_an_error_from_the_start(fleet: Fleet) -> None:
    access = Access(Target(endpoints=("127.0.0.1:1",)))
    fleet.poller.watch("ns/p", Subject(access, StreamKeys("s"), ("g",)))
    reading = await fleet.until("ns/p", failed)
    assert reading.error == redis_errors.NO_ANSWER
    assert not reading.refused
    assert fleet.changed == ["ns/p"]


async def test_other_targets_and_other_groups_keep_what_was_read(
    fleet: Fleet, client: Redis, redis_server: RedisServer
) -> None:
    """Else each edit of a scaling field would make the backlog unknown for a moment."""
    await stream_with_group(client, "s", 3)
    await client.xgroup_create("s", "h", "0")
    fleet.watch("n/one", redis_server, "s", "g", target=100)
    before = await fleet.until("n/one", ready(3))
    fleet.watch("n/one", redis_server, "s", "g", target=7)
    assert fleet.poller.reading("n/one") is before
    fleet.watch("n/one", redis_server, "s", "g", "h", target=7)
    assert fleet.poller.reading("n/one") is before
    both = await fleet.until("n/one", lambda r: r.backlog is not None and "h" in r.backlog.groups)
    assert ready(3, "g")(both)
    assert ready(3, "h")(both)


async def test_the_reading_of_another_stream_is_not_kept(
    fleet: Fleet, client: Redis, redis_server: RedisServer
) -> None:
    await stream_with_group(client, "s", 3)
    fleet.watch("n/one", redis_server, "s", "g")
    await fleet.until("n/one", ready(3))
    fleet.watch("n/one", redis_server, "t", "g")
    assert fleet.poller.reading("n/one") is None
