"""Connections to Redis: one client per role, and no command is ever re-sent by the library.

redis-py repeats a command after a lost reply; a commit or a read repeated that way settles twice or
orphans a delivery. Retries are 0 everywhere, and Headrace decides what to send again.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from redis.asyncio import Redis
from redis.credentials import CredentialProvider

Role: TypeAlias = Literal["read", "control", "admin"]


class Mode(StrEnum):
    STANDALONE = "Standalone"
    SENTINEL = "Sentinel"
    CLUSTER = "Cluster"


class NotImplementedMode(NotImplementedError):
    """A mode of Redis that this version of Headrace cannot talk to yet."""


class NoCredentials(OSError):
    """The credential files that the target names cannot be read."""


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
    """Where Redis is. `endpoints` are fully qualified `host:port`; for Standalone the first is
    used."""

    endpoints: tuple[str, ...]
    mode: Mode = Mode.STANDALONE
    database: int = 0
    sentinel_master: str | None = None
    tls: Tls | None = None


class FileCredentials(CredentialProvider):
    """`username` (optional) and `password` files of a mounted Secret, re-read at each connection.

    A rotated Secret is therefore used by the next connection, without a restart.
    """

    def __init__(self, directory: Path | str) -> None:
        raise NotImplementedError


class StaticCredentials(CredentialProvider):
    """A username (None: the default user) and password held in memory; never shown by repr()."""

    def __init__(self, username: str | None, password: str) -> None:
        raise NotImplementedError


Credentials: TypeAlias = FileCredentials | StaticCredentials


class RedisTargetLike(Protocol):
    """The shape of `headrace_api.worker_config.RedisTarget` that `target_of` reads."""

    mode: Any
    endpoints: Any
    database: int
    sentinel_master: str | None
    credentials_dir: str | None
    tls: Any


def target_of(config: RedisTargetLike) -> Target:
    """The target that a worker's configuration names."""
    raise NotImplementedError


def credentials_of(config: RedisTargetLike) -> Credentials | None:
    """The credential files that a worker's configuration names, or None without any."""
    raise NotImplementedError


def connect(
    target: Target,
    credentials: Credentials | None = None,
    *,
    role: Role,
    block_ms: int = 5_000,
    client_name: str = "headrace",
    max_connections: int | None = None,
) -> Redis:
    """A client that connects at its first command. Replies are bytes (RESP2: flat arrays).

    `read` may block: its socket waits `block_ms` + 5 s. `control` and `admin` wait 5 s.
    Raises NotImplementedMode for a mode not built yet.
    """
    raise NotImplementedError
