"""Facts that the tutorials on Sentinel, Cluster and Valkey state, asked of the servers."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from tests.support.redis_servers import RedisServer, running
from tests.support.redis_topologies import Cluster, cluster, plain
from tests.support.waiting import until

from headrace.streams.keys import StreamKeys

STREAM = "orders"


def follow(follower: RedisServer, leader: RedisServer) -> None:
    plain(follower.port).replicaof("127.0.0.1", str(leader.port))


def link(server: RedisServer) -> str:
    return str(plain(server.port).info("replication").get("master_link_status"))


def everything(server: RedisServer) -> dict[bytes, object]:
    """What each key holds."""
    client = plain(server.port)
    read = {
        b"stream": lambda key: (
            client.xrange(key),
            client.xinfo_groups(key),
            [client.xpending(key, group["name"]) for group in client.xinfo_groups(key)],
        ),
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    return {key: read[client.type(key)](key) for key in client.scan_iter()}


def fill(server: RedisServer) -> None:
    """A stream with unread, pending and parked entries, and a dead letter."""
    client, stream = plain(server.port), StreamKeys(STREAM)
    keys = stream.for_group("billing")
    for number in range(100):
        client.xadd(STREAM, {"type": "order.placed", "payload": str(number)})
    client.xgroup_create(STREAM, "billing", "0")
    client.xreadgroup("billing", "w1", {STREAM: ">"}, count=10)
    client.zadd(keys.retry, {"1-0": 1.0})
    client.xadd(stream.dead_letters, {"error": "no"})


def test_valkey_takes_over_all_that_a_redis_7_holds() -> None:
    with running("redis") as old, running("valkey") as new:
        fill(old)
        follow(new, old)
        until("Valkey follows", lambda: link(new) == "up", within=60)
        before = everything(old)
        plain(new.port).replicaof("NO", "ONE")
        assert everything(new) == before
        assert len(before) == 3
        read = plain(new.port).xreadgroup("billing", "w2", {STREAM: ">"}, count=100)
        assert len(read[0][1]) == 90, "the group goes on where it stood"


def test_a_redis_8_cannot_be_followed_by_valkey_8(tmp_path: Path) -> None:
    with running("redis-8") as old, running("valkey") as new:
        fill(old)
        follow(new, old)
        log = new.directory / "log"
        until("it gives up", lambda: "RDB" in log.read_text() and link(new) == "down", within=60)
        assert not plain(new.port).exists(STREAM)


@pytest.fixture(scope="module")
def shards() -> Cluster:
    with cluster() as topology:
        yield topology


def test_keys_of_one_tag_lie_in_one_slot(shards: Cluster) -> None:
    def slot(key: str) -> int:
        return int(plain(shards.servers[0].port).execute_command("CLUSTER", "KEYSLOT", key))

    stream = StreamKeys("{shop}:orders")
    own = [stream.dead_letters, stream.for_group("billing").retry]
    assert {slot(key) for key in ("{shop}:orders", "{shop}:invoices", *own)} == {slot("{shop}")}


def test_streams_for_customers_reach_every_shard(shards: Cluster) -> None:
    owners = {shards.primary(f"{{shop-{number}}}:orders") for number in range(1, 9)}
    assert len(owners) == 3


@pytest.mark.parametrize("command", ["config set min-replicas-to-write 1"])
def test_a_primary_without_replicas_then_takes_no_event(command: str) -> None:
    with running("redis") as server:
        plain(server.port).execute_command(*command.split())
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            plain(server.port).xadd(STREAM, {"a": "b"})
