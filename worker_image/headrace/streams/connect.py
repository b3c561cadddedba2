"""Connections to Redis: one client per role, and no command is ever re-sent by the library.

A stream and all keys beside it live on one server, so a client is a plain one, whatever the mode.
Its connections ask where that server is (primary.py) each time they connect.

redis-py repeats a command after a lost reply; a commit or a read repeated that way settles twice or
orphans a delivery. Retries are 0 everywhere, and Headrace decides what to send again.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import redis
from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as BlockingRetry

from headrace.streams.connection import (
    AsyncConnection,
    AsyncTlsConnection,
    BlockingConnection,
    BlockingTlsConnection,
)
from headrace.streams.credentials import Credentials, FileCredentials
from headrace.streams.primary import Check, ClusterMap, Locator, SentinelLocator, SlotLocator, allow
from headrace.streams.url import RedisUrl, split_endpoint

if TYPE_CHECKING:
    from headrace_api.worker_config import RedisTarget

_ANSWER_SECONDS = 5.0
NO_OPTIONS: Mapping[str, Any] = {}
_LOOKUP_SECONDS = 1.0
"""For a sentinel, or a node asked for the slots: there are others to ask."""

REDIS_ERRORS = (RedisError, OSError)
"""What a call to Redis may raise: its refusals, lost connections, time-outs (an OSError, too)."""

Role: TypeAlias = Literal["read", "control", "admin"]


class Mode(StrEnum):
    STANDALONE = "Standalone"
    SENTINEL = "Sentinel"
    CLUSTER = "Cluster"


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS files (paths). `ca_data` carries a CA in PEM for those who hold no files."""

    ca_file: str | None = None
    ca_data: str | None = field(default=None, repr=False)
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where Redis is. `endpoints` are fully qualified `host:port`: the server, the sentinels, or
    nodes of the Cluster."""

    endpoints: tuple[str, ...]
    mode: Mode = Mode.STANDALONE
    database: int = 0
    sentinel_master: str | None = None
    tls: Tls | None = None
    """For the sentinels, too."""
    sentinel_credentials: Credentials | None = field(default=None, repr=False, compare=False)


def target_of(config: "RedisTarget") -> Target:
    """The target that a worker's configuration names."""
    tls, sentinels = config.tls, config.sentinel_credentials_dir
    return Target(
        endpoints=tuple(config.endpoints),
        mode=Mode(str(config.mode)),
        database=config.database,
        sentinel_master=config.sentinel_master,
        sentinel_credentials=FileCredentials(sentinels) if sentinels else None,
        tls=None
        if tls is None
        else Tls(
            ca_file=tls.ca_file,
            cert_file=tls.cert_file,
            key_file=tls.key_file,
            server_name=tls.server_name,
        ),
    )


def target_of_url(url: RedisUrl) -> Target:
    """One server, as a URL names it."""
    tls = Tls(**url.tls_files) if url.tls_files is not None else None
    return Target((url.endpoint,), database=url.database, tls=tls)


def credentials_of(config: "RedisTarget") -> Credentials | None:
    """The credential files that a worker's configuration names, or None without any."""
    return FileCredentials(config.credentials_dir) if config.credentials_dir else None


def connect(
    target: Target,
    credentials: Credentials | None = None,
    *,
    role: Role,
    key: str = "",
    locator: Locator | None = None,
    options: Mapping[str, Any] = NO_OPTIONS,
    block_ms: int = 5_000,
    client_name: str = "headrace",
) -> Redis:
    """A client that connects at its first command. Replies are bytes (RESP2: flat arrays).

    `key`: in a Cluster, the client is for this key's slot and no other. `locator`: of `locator_of`,
    for clients that shall move to a new primary together. `options`: more of redis-py's, for the
    connections. `read` may block: its socket waits `block_ms` + 5 s. `control` and `admin` wait
    5 s.
    """
    chosen = _async_options(target, credentials, client_name)
    chosen |= _address(target, locator or locator_of(target, credentials, key)) | dict(options)
    if role == "read":
        chosen["socket_timeout"] += block_ms / 1000
    return Redis.from_pool(ConnectionPool(**chosen))


def connect_any_slot(
    target: Target, credentials: Credentials | None = None, *, client_name: str = "headrace"
) -> Redis | RedisCluster:
    """A client for keys of any name, as role `admin`: a Cluster client where `target` is one. It
    follows a slot that moved, and sends nothing again that may have been carried out."""
    if target.mode is not Mode.CLUSTER:
        return connect(target, credentials, role="admin", client_name=client_name)
    options = _async_options(target, credentials, client_name)
    connection_class, server_name = options.pop("connection_class"), options.pop("server_name", "")
    client = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in _addresses(target)],
        ssl=target.tls is not None,
        **options,
    )
    # redis-py has no parameter for these two.
    ours = {"connection_class": connection_class}
    if target.tls is not None:
        ours["server_name"] = server_name
    client.connection_kwargs.update(ours)
    for node in client.nodes_manager.startup_nodes.values():
        node.connection_class = connection_class
        node.connection_kwargs.update(ours)
        del node.connection_kwargs["connection_class"]
    return client


def cluster_map(
    target: Target,
    credentials: Credentials | None,
    options: Mapping[str, Any],
    check: Check,
) -> ClusterMap:
    """The owners of the slots, for those who talk to all nodes. `options`: redis-py's, of the
    connections that ask; `check` is called with each address that is told."""
    return ClusterMap(
        _addresses(target), _lookup_options(target, credentials) | dict(options), check
    )


def connect_blocking(
    target: Target,
    credentials: Credentials | None = None,
    *,
    key: str = "",
    client_name: str = "headrace",
) -> "redis.Redis | LazyCluster":
    """The same as `connect_any_slot`, for threads. With a `key`, as `connect`: a plain client, in
    a Cluster for this key's slot."""
    options = _options(target, credentials, client_name)
    options["retry"] = BlockingRetry(NoBackoff(), 0)
    if target.tls is not None:
        options |= _tls_options(target.tls)
    if target.mode is Mode.CLUSTER and not key:
        options.pop("server_name", None)
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in _addresses(target)]
        return LazyCluster(
            lambda: redis.RedisCluster(startup_nodes=nodes, ssl=target.tls is not None, **options)
        )
    options |= _address(target, locator_of(target, credentials, key))
    options["connection_class"] = BlockingConnection
    if target.tls is not None:
        options["connection_class"] = BlockingTlsConnection
    return redis.Redis.from_pool(redis.ConnectionPool(**options))


class LazyCluster:
    """A blocking RedisCluster, made at its first use: redis-py connects while it makes one, and a
    worker starts without Redis."""

    def __init__(self, make: Callable[[], redis.RedisCluster]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._client: redis.RedisCluster | None = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._make()
        return getattr(self._client, name)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _address(target: Target, locator: Locator | None) -> dict[str, Any]:
    """Where to connect, or whom to ask; the first endpoint then only stands in."""
    host, port = _addresses(target)[0]
    return {"host": host, "port": port, "db": target.database, "locator": locator}


def _addresses(target: Target) -> list[tuple[str, int]]:
    return [split_endpoint(endpoint) for endpoint in target.endpoints]


def locator_of(
    target: Target,
    credentials: Credentials | None,
    key: str = "",
    *,
    options: Mapping[str, Any] = NO_OPTIONS,
    check: Check = allow,
) -> Locator | None:
    """Who says where the primary of this key is; None where it does not move. Raises ValueError."""
    if target.mode is Mode.CLUSTER:
        if not key:
            raise ValueError("in a Cluster a client is for one slot: give a key")
        return SlotLocator(cluster_map(target, credentials, options, check), key)
    if target.mode is Mode.SENTINEL:
        asking = _lookup_options(target, target.sentinel_credentials) | dict(options)
        return SentinelLocator(_addresses(target), target.sentinel_master or "", asking, check)
    return None


def _lookup_options(target: Target, credentials: Credentials | None) -> dict[str, Any]:
    options = _async_options(target, credentials, "headrace-lookup")
    return options | {"socket_timeout": _LOOKUP_SECONDS, "socket_connect_timeout": _LOOKUP_SECONDS}


def _async_options(
    target: Target, credentials: Credentials | None, client_name: str
) -> dict[str, Any]:
    options = _options(target, credentials, client_name)
    options |= {"retry": Retry(NoBackoff(), 0), "connection_class": AsyncConnection}
    if target.tls is not None:
        options |= _tls_options(target.tls) | {"connection_class": AsyncTlsConnection}
    return options


def _options(target: Target, credentials: Credentials | None, client_name: str) -> dict[str, Any]:
    return {
        "protocol": 2,
        "socket_timeout": _ANSWER_SECONDS,
        "socket_connect_timeout": _ANSWER_SECONDS,
        "client_name": client_name,
        "credential_provider": credentials,
    }


def _tls_options(tls: Tls) -> dict[str, Any]:
    return {
        "server_name": tls.server_name,
        "ssl_ca_certs": tls.ca_file,
        "ssl_ca_data": tls.ca_data,
        "ssl_certfile": tls.cert_file,
        "ssl_keyfile": tls.key_file,
    }
