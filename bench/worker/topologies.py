"""The same worker on a Cluster, and with commits that a replica has: each beside one server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import redis
from bench.worker.bench import Bench
from bench.worker.server import body, fill, free_port, server
from redis.crc import key_slot

STREAM = "{bench}:topologies"
SLOTS = 16_384
NODES = 3


def clustered(bench: Bench, events: int, count: int, command: str) -> None:
    """A worker of one slot of a Cluster, as a ratio to one of one server, in pairs."""
    with cluster(command) as port:
        there = Bench(port, bench.report)
        for one in (bench, there):
            one.redis.delete(STREAM)
            fill(one.redis, STREAM, events, body(), ids=False)
        for _ in range(count):
            alone = bench.rate("single", STREAM, events, "single, one server")
            rate = there.rate("single_cluster", STREAM, events, "single, Cluster")
            bench.report.add("cluster", rate / alone)


def replicated(bench: Bench, events: int, count: int, command: str) -> None:
    """With `delivery.replicas: 1`, as a ratio to without it, both with a replica, in pairs."""
    with server(command, "--replicaof", "127.0.0.1", str(bench.port)):
        _until(lambda: bench.redis.info("replication").get("slave0", {}).get("state") == "online")
        bench.redis.delete(STREAM)
        fill(bench.redis, STREAM, events, body(), ids=False)
        for _ in range(count):
            without = bench.rate("single", STREAM, events, "single, with a replica")
            rate = bench.rate("single_replicas", STREAM, events, "single, replicas: 1")
            bench.report.add("replicas", rate / without)


@contextmanager
def cluster(command: str) -> Iterator[int]:
    """Three nodes with a third of the slots each; yields the port of the stream's owner."""
    buses = [free_port() for _ in range(NODES)]
    with ExitStack() as stack:
        ports = [
            stack.enter_context(
                server(command, "--cluster-enabled", "yes", "--cluster-port", str(bus))
            )
            for bus in buses
        ]
        nodes = [redis.Redis(port=port) for port in ports]
        bounds = [SLOTS * number // NODES for number in range(NODES + 1)]
        for number, node in enumerate(nodes):
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            first, last = bounds[number], bounds[number + 1] - 1
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", ports[number], buses[number])
        for node in nodes:
            _until(lambda at=node: _serves(at))
        yield ports[key_slot(STREAM.encode()) * NODES // SLOTS]


def _serves(node: redis.Redis) -> bool:
    told: Any = node.execute_command("CLUSTER INFO")
    return bool(told["cluster_state"] == "ok" and told["cluster_slots_assigned"] == str(SLOTS))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the servers of the bench did not come together")
        time.sleep(0.05)
