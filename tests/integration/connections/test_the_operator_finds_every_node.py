"""The operator reads each stream where it lives, and connects nowhere else than it may."""

import pytest
import redis
from tests.support.redis_topologies import cluster, plain, sentinel_set
from tests.support.waiting import eventually

from headrace.streams.connect import Mode, Target
from headrace.streams.keys import StreamKeys
from headrace_operator.backlog.allowed_hosts import AllowedHosts
from headrace_operator.backlog.endpoint import Subject
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import Access, RedisAccess

STREAMS = ("a", "b", "c", "d", "e", "f")


async def test_streams_of_all_shards_are_read_and_one_that_moves_is_found_again() -> None:
    with cluster() as topology:
        access = Access(Target(tuple(topology.settings["endpoints"]), Mode.CLUSTER))
        clients = RedisAccess()
        poller = BacklogPoller(clients, lambda _: None, interval=0.1)

        def add(stream: str) -> None:
            plain(topology.primary(stream)).xadd(stream, {"n": 1})

        def length(stream: str) -> int | None:
            reading = poller.reading(stream)
            return reading.backlog.length if reading and reading.backlog else None

        assert len({topology.primary(stream) for stream in STREAMS}) == 3
        for stream in STREAMS:
            add(stream)
            poller.watch(stream, Subject(access, StreamKeys(stream), ("g",)))
        await eventually(lambda: all(length(stream) == 1 for stream in STREAMS))
        topology.move_slot("a")
        add("a")
        await eventually(lambda: length("a") == 2)
        assert all(length(stream) == 1 for stream in STREAMS[1:])
        await poller.aclose()
        await clients.aclose()


async def test_an_address_that_the_sentinels_give_must_be_allowed() -> None:
    with sentinel_set() as topology:
        endpoints = tuple(topology.settings["endpoints"])
        access = Access(Target(endpoints, Mode.SENTINEL, sentinel_master="mymaster"))
        free, bound = RedisAccess(), RedisAccess(AllowedHosts(["sentinels.example"]))
        assert await (await free.client(access, "s")).ping()
        with pytest.raises(redis.ConnectionError, match="is not one of the hosts"):
            await (await bound.client(access, "s")).ping()
        await free.aclose()
        await bound.aclose()
