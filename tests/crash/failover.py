"""A fail-over behind a stable address, as a Kubernetes Service does it, or as a Cluster does.

New connections reach the new primary; those that stand stay with the old one, which lives on as its
replica. It is an orderly one: nothing that was confirmed is lost.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import redis

from tests.crash.broker import START_SECONDS, Broker
from tests.crash.proxy import Proxy
from tests.crash.topology import Topology
from tests.support.redis_topologies import bus_port

ASK_SECONDS = 6.0
PAUSE_MS = 10_000
"""How long the old primary may refuse writes until the replica has all of them."""


class Pair:
    """A broker and its standby, which change places. `broker` stays the object for the primary."""

    def __init__(self, broker: Broker, proxy: Proxy, topology: Topology) -> None:
        self.broker = broker
        self.proxy = proxy
        self.topology = topology
        self.standby: Broker | None = None

    def fail_over(self) -> None:
        """Promote the standby; start one first if there is none."""
        old, new = self.broker, self._standby()
        with old.client() as primary, new.client() as replica:
            _wait(lambda: replica.info("replication").get("master_link_status") == "up")
            _wait(lambda: _has_written(replica))
            if self.topology is Topology.CLUSTER:
                self._let_the_cluster_swap(primary, replica)
            else:
                self._swap(primary, replica)
        for part in ("directory", "port", "process", "options"):
            here, there = getattr(old, part), getattr(new, part)
            setattr(old, part, there)
            setattr(new, part, here)

    def _swap(self, primary: redis.Redis, replica: redis.Redis) -> None:
        primary.execute_command("CLIENT", "PAUSE", PAUSE_MS, "WRITE")
        _wait(lambda: _offset(primary, "master") == _offset(replica, "slave"))
        replica.execute_command("REPLICAOF", "NO", "ONE")
        self.proxy.target_port = _port(replica)
        primary.execute_command("REPLICAOF", "127.0.0.1", _port(replica))
        primary.execute_command("CLIENT", "UNPAUSE")

    def _let_the_cluster_swap(self, primary: redis.Redis, replica: redis.Redis) -> None:
        """The nodes agree on it: https://redis.io/docs/latest/commands/cluster-failover/ They give
        up after five seconds, as where other faults hold up the link between them: ask again."""
        asked = -ASK_SECONDS

        def promoted() -> bool:
            nonlocal asked
            if _role(replica) == "master":
                return True
            if time.monotonic() - asked > ASK_SECONDS:
                replica.execute_command("CLUSTER", "FAILOVER")
                asked = time.monotonic()
            return False

        _wait(promoted)
        self.proxy.target_port = _port(replica)
        _wait(lambda: _role(primary) == "slave")

    def close(self) -> None:
        if self.standby is not None:
            self.standby.kill()

    def _standby(self) -> Broker:
        if self.standby is None:
            broker = self.broker
            directory = Path(tempfile.mkdtemp(prefix="standby-", dir=broker.directory))
            self.standby = Broker(
                directory, broker.command, fsync=broker.fsync, users=broker.users, seed=1
            )
            self.standby.options = self.topology.options(self.proxy.port)
            self.standby.start()
            with self.standby.client() as replica, broker.client() as primary:
                if self.topology is Topology.CLUSTER:
                    _join(replica, primary, broker)
                else:
                    replica.execute_command("REPLICAOF", "127.0.0.1", broker.port)
        return self.standby


def _join(replica: redis.Redis, primary: redis.Redis, broker: Broker) -> None:
    """Nodes talk on a port of their own. What they announce for clients is the proxy, through which
    the replica follows, too."""
    name = primary.execute_command("CLUSTER", "MYID").decode()
    where = ("127.0.0.1", broker.port, bus_port(broker.options))
    replica.execute_command("CLUSTER", "MEET", *where)

    def follows() -> bool:
        return bool(replica.execute_command("CLUSTER", "REPLICATE", name))

    _wait(follows)


def _port(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def _role(client: redis.Redis) -> str:
    return str(client.info("replication")["role"])


def _offset(client: redis.Redis, side: str) -> int:
    return int(client.info("replication")[f"{side}_repl_offset"])


def _has_written(client: redis.Redis) -> bool:
    """After a full sync a replica writes its file anew. One that is killed before that ends starts
    with what it had before."""
    info = client.info("persistence")
    return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError, KeyError):
            if condition():
                return
        time.sleep(0.02)
    raise RuntimeError("the replica did not catch up in time")
