"""How workers find the server: at its address, by sentinels, or as a node of a Cluster.

In each case what they are told is the address of the proxy: every fault strikes as it does on one
server, and what differs is the way to each connection. Failovers of sentinels and of Clusters,
under load, are played by `make test-connections`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import redis

from headrace_api.worker_config import RedisTarget
from tests.support.ports import free_port
from tests.support.redis_topologies import MASTER, Sentinel

SENTINELS = 3
PATIENCE_MS = 3_600_000
"""A sentinel that lost patience would fail over to nobody, and the proof ends by its own faults."""


class Topology(StrEnum):
    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"

    def ready(self, client: redis.Redis) -> bool:
        """Whether a server that was just started serves. A node takes all slots at its first
        start, and is no use for two seconds after each other one."""
        if self is not Topology.CLUSTER:
            return bool(client.ping())
        told: Any = client.execute_command("CLUSTER INFO")
        if told["cluster_slots_assigned"] == "0":
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        return bool(told["cluster_state"] == "ok")

    def options(self, proxy_port: int) -> list[str]:
        """Of the server."""
        if self is not Topology.CLUSTER:
            return []
        return [
            *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
            *("--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", str(proxy_port)),
        ]

    @property
    def rights(self) -> list[str]:
        """What docs/redis-user.md adds for it."""
        return ["+cluster|slots", "+command"] if self is Topology.CLUSTER else []


class Discovery:
    """What stands between the workers and the proxy's address. Nothing, for one server."""

    def __init__(self, topology: Topology, kind: str, proxy_port: int) -> None:
        self.topology = topology
        self.port = proxy_port
        self.sentinels: list[Sentinel] = []
        if topology is Topology.SENTINEL:
            self.sentinels = [
                Sentinel(kind, proxy_port, patience_ms=PATIENCE_MS) for _ in range(SENTINELS)
            ]

    def start(self) -> None:
        for sentinel in self.sentinels:
            sentinel.start()

    def stop(self) -> None:
        for sentinel in self.sentinels:
            sentinel.stop()

    def target(self, credentials: Path) -> RedisTarget:
        """`redis` in the workers' configuration."""
        told: dict[str, Any] = {"endpoints": (f"127.0.0.1:{self.port}",)}
        if self.topology is Topology.SENTINEL:
            sentinels = tuple(sentinel.endpoint for sentinel in self.sentinels)
            told = {"mode": "Sentinel", "endpoints": sentinels, "sentinel_master": MASTER}
        if self.topology is Topology.CLUSTER:
            told["mode"] = "Cluster"
        return RedisTarget(**told, credentials_dir=str(credentials))

    def url(self, user: str) -> str:
        """The same for a producer. `user`: name:password."""
        if self.topology is Topology.SENTINEL:
            hosts = ",".join(sentinel.endpoint for sentinel in self.sentinels)
            return f"redis+sentinel://{user}@{hosts}/{MASTER}"
        cluster = "+cluster" if self.topology is Topology.CLUSTER else ""
        return f"redis{cluster}://{user}@127.0.0.1:{self.port}"
