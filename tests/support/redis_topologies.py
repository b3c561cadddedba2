"""Redis that fails over: a primary with replicas under three sentinels, and a Cluster of three
shards. Real servers, all of this machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from tests.support import waiting
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer

MASTER = "mymaster"
DEADLINE_SECONDS = 60.0


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until it holds. What a server refuses meanwhile counts as not yet."""

    def answer() -> Any:
        with contextlib.suppress(redis.RedisError):
            return condition()

    waiting.until(what, answer, within=DEADLINE_SECONDS)


def plain(port: int) -> redis.Redis:
    """A client of one server that repeats nothing."""
    return redis.Redis(port=port, socket_timeout=5, retry=None)


class Sentinel(RedisServer):
    """One sentinel, which watches a primary."""

    def __init__(self, kind: str, primary: int, *settings: str, patience_ms: int = 1_000) -> None:
        """`patience_ms`: how long the primary may be silent."""
        super().__init__(kind)
        lines = (
            *(f"port {self.port}", "bind 127.0.0.1", f"dir {self.directory}", *settings),
            f"sentinel monitor {MASTER} 127.0.0.1 {primary} 2",
            f"sentinel down-after-milliseconds {MASTER} {patience_ms}",
            f"sentinel failover-timeout {MASTER} 5000",
        )
        (self.directory / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def _arguments(self) -> list[str]:
        return [str(self.directory / "sentinel.conf"), "--sentinel"]


class SentinelSet:
    """A primary, a replica and three sentinels. With one replica, WAIT 1 means the one that a
    failover promotes."""

    def __init__(self, kind: str, certificates: Mapping[str, Path] | None = None) -> None:
        """`certificates`: of redis_tls; then all of them speak TLS on `tls_ports`, too."""
        self._tls = _tls_settings(certificates) if certificates is not None else {}
        self.tls_ports = [free_port() for _ in range(5)] if self._tls else []
        options = [self._options(number) for number in range(5)]
        self.servers = [
            RedisServer(
                kind,
                *("--repl-diskless-sync-delay", "0"),
                *(word for name, value in options[n].items() for word in (f"--{name}", value)),
            )
            for n in range(2)
        ]
        self._first = self.tls_ports[0] if self._tls else self.servers[0].port
        self.sentinels = [
            Sentinel(kind, self._first, *(f"{name} {value}" for name, value in told.items()))
            for told in options[2:]
        ]

    def _options(self, number: int) -> dict[str, str]:
        return {**self._tls, "tls-port": str(self.tls_ports[number])} if self._tls else {}

    def start(self) -> SentinelSet:
        for server in self.servers:
            server.start()
        for replica in self.servers[1:]:
            plain(replica.port).replicaof("127.0.0.1", self._first)
        first = plain(self.servers[0].port)
        until(lambda: first.info("replication")["connected_slaves"] == 1, "a replica")
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            until(lambda at=sentinel: self._knows_all(at), "sentinels that know each other")
        return self

    def _knows_all(self, sentinel: Sentinel) -> bool:
        known: Any = plain(sentinel.port).sentinel_masters()
        state = known[MASTER]
        return state["num-other-sentinels"] == 2 and state["num-slaves"] == 1

    def stop(self) -> None:
        for server in (*self.sentinels, *self.servers):
            server.stop()

    def protect(self, servers: str, sentinels: str) -> None:
        """From now on they want these passwords, of each other, too."""
        for server in self.servers:
            plain(server.port).config_set("masterauth", servers, "requirepass", servers)
        for sentinel in self.sentinels:
            client = plain(sentinel.port)
            client.execute_command("SENTINEL", "SET", MASTER, "auth-pass", servers)
            client.execute_command("SENTINEL", "CONFIG", "SET", "sentinel-pass", sentinels)
        for sentinel in self.sentinels:
            rule = ("ACL", "SETUSER", "default", "resetpass", f">{sentinels}")
            plain(sentinel.port).execute_command(*rule)

    @property
    def endpoint(self) -> str:
        return self.sentinels[0].endpoint

    @property
    def settings(self) -> dict[str, Any]:
        """`redis` in a worker's configuration."""
        return {
            "mode": "Sentinel",
            "endpoints": [sentinel.endpoint for sentinel in self.sentinels],
            "sentinelMaster": MASTER,
        }

    def primary(self, key: str) -> int:
        """The port of the primary, as a sentinel tells it."""
        for sentinel in self.sentinels:
            with contextlib.suppress(redis.RedisError):
                return int(plain(sentinel.port).sentinel_get_master_addr_by_name(MASTER)[1])
        raise redis.ConnectionError("no sentinel answers")

    def fail_over(self, key: str) -> None:
        """The sentinels make another server the primary; the old one lives on as a replica."""
        before = self.primary(key)
        plain(self.sentinels[0].port).execute_command("SENTINEL", "FAILOVER", MASTER)
        until(lambda: self.primary(key) != before, "the failover")

    def kill_primary(self, key: str) -> None:
        """Its replica takes over; then it comes back, and the sentinels make it a replica."""
        _replace(self, key)


class Cluster:
    """Three shards, each a primary and a replica."""

    def __init__(self, kind: str) -> None:
        self.servers = []
        for _ in range(6):
            server = RedisServer(
                kind,
                *("--cluster-enabled", "yes", "--cluster-node-timeout", "1500"),
                *("--cluster-port", str(free_port()), "--repl-diskless-sync-delay", "0"),
            )
            self.servers.append(server)

    def start(self) -> Cluster:
        for server in self.servers:
            server.start()
        share_slots([(plain(server.port), _where(server)) for server in self.servers])
        return self

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    @property
    def endpoint(self) -> str:
        return self.servers[0].endpoint

    @property
    def settings(self) -> dict[str, Any]:
        """`redis` in a worker's configuration; one seed is a replica."""
        return {
            "mode": "Cluster",
            "endpoints": [self.servers[5].endpoint, self.servers[0].endpoint],
        }

    def primary(self, key: str) -> int:
        """The port of the key's owner, as most nodes that live have it."""
        alive = [server.port for server in self.servers if server.process is not None]
        return owner_of(key, alive)[1]

    def kill_primary(self, key: str) -> None:
        """Its replica takes over; then it comes back, as a replica."""
        _replace(self, key)

    def move_slot(self, key: str) -> None:
        """Move the key's slot, and all that is in it, to another shard, as redis-cli does it."""
        slot, before = key_slot(key.encode()), self.primary(key)
        owners = set(_slots(plain(before)).values())
        after = next(port for _, port in owners if port != before)
        source, target = plain(before), plain(after)
        ids = [client.execute_command("CLUSTER", "MYID").decode() for client in (source, target)]
        target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        while keys := source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1):
            time.sleep(0.2)  # as long as it takes with a large slot
            source.execute_command(
                "MIGRATE", "127.0.0.1", after, "", 0, 30000, "REPLACE", "KEYS", *keys
            )
        for client in (target, source):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        until(lambda: self.primary(key) == after, "the slot's new owner")


def _tls_settings(certificates: Mapping[str, Path]) -> dict[str, str]:
    return {
        "tls-replication": "yes",
        "tls-ca-cert-file": str(certificates["ca.crt"]),
        "tls-cert-file": str(certificates["tls.crt"]),
        "tls-key-file": str(certificates["tls.key"]),
    }


def _replace(topology: SentinelSet | Cluster, key: str) -> None:
    before = topology.primary(key)
    killed = next(server for server in topology.servers if server.port == before)
    killed.kill()
    until(lambda: topology.primary(key) != before, "the failover")
    killed.start()


def _where(server: RedisServer) -> tuple[str | int, ...]:
    """What CLUSTER MEET wants: host, port, and the port on which nodes talk."""
    return "127.0.0.1", server.port, bus_port(server.options)


def bus_port(options: Sequence[str]) -> str:
    """Of the node that is started with these options."""
    return options[options.index("--cluster-port") + 1]


def share_slots(nodes: Sequence[tuple[redis.Redis, tuple[str | int, ...]]]) -> None:
    """Make a Cluster of six empty nodes: three shards, each a primary and a replica. Beside each
    node's client: where the others meet it, as CLUSTER MEET wants it."""
    clients = [client for client, _ in nodes]
    bounds = [0, 5461, 10923, 16384]
    for n, client in enumerate(clients):
        client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        if n < 3:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[n], bounds[n + 1] - 1)
    for _, where in nodes[1:]:
        clients[0].execute_command("CLUSTER", "MEET", *where)
    for client in clients:
        until(lambda at=client: len(at.execute_command("CLUSTER NODES")) == 6, "nodes")
    for n in range(3):
        name = clients[n].execute_command("CLUSTER", "MYID")
        until(
            lambda at=clients[n + 3], of=name: at.execute_command("CLUSTER", "REPLICATE", of),
            "a replica that knows its primary",
        )
        until(lambda at=clients[n]: at.info("replication")["connected_slaves"], "replicas")
    for client in clients:
        until(
            lambda at=client: at.execute_command("CLUSTER INFO")["cluster_state"] == "ok",
            "a Cluster that serves all slots",
        )


def owner_of(key: str, ports: Iterable[int]) -> tuple[str, int]:
    """Host and port of the key's owner, as most of the nodes at `ports` have it. Raises
    ConnectionError where none of them tells."""
    slot, votes = key_slot(key.encode()), list[tuple[str, int]]()
    for port in ports:
        with contextlib.suppress(redis.RedisError):
            for (first, last), owner in _slots(plain(port)).items():
                if first <= slot <= last:
                    votes.append(owner)
    if not votes:
        raise redis.ConnectionError("no node knows the owner")
    return max(set(votes), key=votes.count)


def _slots(client: redis.Redis) -> dict[tuple[int, int], tuple[str, int]]:
    """(first slot, last slot) -> host and port of its primary."""
    return {
        (int(row[0]), int(row[1])): (row[2][0].decode(), int(row[2][1]))
        for row in _raw_slots(client)
    }


def _raw_slots(client: redis.Redis) -> list[Any]:
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command("CLUSTER", "SLOTS")
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)


@contextlib.contextmanager
def sentinel_set(
    kind: str = "redis", certificates: Mapping[str, Path] | None = None
) -> Iterator[SentinelSet]:
    """A Sentinel set of one's own."""
    topology = SentinelSet(kind, certificates)
    try:
        yield topology.start()
    finally:
        topology.stop()


@contextlib.contextmanager
def cluster(kind: str = "redis") -> Iterator[Cluster]:
    """A Cluster of one's own."""
    topology = Cluster(kind)
    try:
        yield topology.start()
    finally:
        topology.stop()
