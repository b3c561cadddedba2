"""Servers for pages that are about more than one Redis: what stands on the page -> what is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.support.redis_servers import running
from tests.support.redis_topologies import cluster, sentinel_set


@contextmanager
def of_sentinel() -> Iterator[dict[str, str]]:
    with sentinel_set() as topology:
        yield {
            "-h sentinel-0.airport -p 26379": f"-p {topology.sentinels[0].port}",
            "-h redis-0.airport": f"-p {topology.servers[0].port}",
        }


@contextmanager
def of_cluster() -> Iterator[dict[str, str]]:
    with cluster() as topology:
        yield {
            "-h redis-0-replica.airport": f"-p {topology.servers[3].port}",
            "-h redis-0.airport": f"-p {topology.servers[0].port}",
        }


@contextmanager
def of_valkey() -> Iterator[dict[str, str]]:
    options = ("--appendonly", "yes", "--maxmemory-policy", "noeviction")
    with running("redis") as redis, running("valkey", *options) as valkey:
        yield {
            "replicaof redis.airport 6379": f"replicaof 127.0.0.1 {redis.port}",
            "-h valkey.airport": f"-p {valkey.port}",
            "-h redis.airport": f"-p {redis.port}",
            "localhost:6379": valkey.endpoint,
        }


OF_PAGE: dict[str, Callable[[], AbstractContextManager[dict[str, str]]]] = {
    "docs/tutorials/sentinel.md": of_sentinel,
    "docs/tutorials/cluster.md": of_cluster,
    "docs/tutorials/valkey.md": of_valkey,
}
