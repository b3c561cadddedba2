"""Connections to Redis: one client per role, and no command is ever re-sent by the library.

redis-py repeats a command after a lost reply; a commit or a read repeated that way settles twice or
orphans a delivery. Retries are 0 everywhere, and Headrace decides what to send again.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import redis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError
from redis.retry import Retry as BlockingRetry

from headrace.streams.connection import (
    AsyncConnection,
    AsyncTlsConnection,
    BlockingConnection,
    BlockingTlsConnection,
)

_ANSWER_S = 5.0

REDIS_ERRORS = (RedisError, OSError)
"""What a call to Redis may raise: its refusals, lost connections, time-outs (an OSError, too)."""

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
        self.directory = Path(directory)

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """(password,) or (username, password). Raises NoCredentials."""
        try:
            password = without_newline((self.directory / "password").read_text("utf-8"))
            name = self.directory / "username"
            username = without_newline(name.read_text("utf-8")) if name.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise NoCredentials(
                f"cannot read the Redis credentials in {self.directory}: {type(error).__name__};"
                " check the Secret that credentialsSecretRef names, and its keys"
            ) from None
        return (username, password) if username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()

    def __repr__(self) -> str:
        return f"FileCredentials({str(self.directory)!r})"


class StaticCredentials(CredentialProvider):
    """A username (None: the default user) and password held in memory; never shown by repr()."""

    def __init__(self, username: str | None, password: str) -> None:
        self._username = username
        self._password = password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        return (self._username, self._password) if self._username else (self._password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()

    def __repr__(self) -> str:
        return f"StaticCredentials(username={self._username!r}, password=***)"


Credentials: TypeAlias = FileCredentials | StaticCredentials


class RedisTargetLike(Protocol):
    """The shape of `headrace_api.worker_config.RedisTarget` that `target_of` reads."""

    @property
    def mode(self) -> Any: ...
    @property
    def endpoints(self) -> Any: ...
    @property
    def database(self) -> int: ...
    @property
    def sentinel_master(self) -> str | None: ...
    @property
    def credentials_dir(self) -> str | None: ...
    @property
    def tls(self) -> Any: ...


def target_of(config: RedisTargetLike) -> Target:
    """The target that a worker's configuration names."""
    tls = config.tls
    return Target(
        endpoints=tuple(config.endpoints),
        mode=Mode(str(config.mode)),
        database=config.database,
        sentinel_master=config.sentinel_master,
        tls=None
        if tls is None
        else Tls(
            ca_file=tls.ca_file,
            cert_file=tls.cert_file,
            key_file=tls.key_file,
            server_name=tls.server_name,
        ),
    )


def credentials_of(config: RedisTargetLike) -> Credentials | None:
    """The credential files that a worker's configuration names, or None without any."""
    return FileCredentials(config.credentials_dir) if config.credentials_dir else None


def connect(
    target: Target,
    credentials: Credentials | None = None,
    *,
    role: Role,
    block_ms: int = 5_000,
    client_name: str = "headrace",
) -> Redis:
    """A client that connects at its first command. Replies are bytes (RESP2: flat arrays).

    `read` may block: its socket waits `block_ms` + 5 s. `control` and `admin` wait 5 s.
    Raises NotImplementedMode for a mode not built yet.
    """
    options = _options(target, credentials, client_name)
    options |= {"retry": Retry(NoBackoff(), 0), "connection_class": AsyncConnection}
    if role == "read":
        options["socket_timeout"] += block_ms / 1000
    if target.tls is not None:
        options |= _tls_options(target.tls) | {"connection_class": AsyncTlsConnection}
    return Redis.from_pool(ConnectionPool(**options))


def connect_blocking(
    target: Target, credentials: Credentials | None = None, *, client_name: str = "headrace"
) -> redis.Redis:
    """A client for threads, as role `admin`; for the keys of sync handlers.

    Raises NotImplementedMode for a mode not built yet.
    """
    options = _options(target, credentials, client_name)
    options |= {
        "retry": BlockingRetry(NoBackoff(), 0),
        "connection_class": BlockingConnection,
    }
    if target.tls is not None:
        options |= _tls_options(target.tls) | {"connection_class": BlockingTlsConnection}
    return redis.Redis.from_pool(redis.ConnectionPool(**options))


def _options(target: Target, credentials: Credentials | None, client_name: str) -> dict[str, Any]:
    if target.mode is not Mode.STANDALONE:
        raise NotImplementedMode(
            f"redis.mode {target.mode} is not built yet; use Standalone with one endpoint"
        )
    host, port = split_endpoint(target.endpoints[0])
    return {
        "host": host,
        "port": port,
        "db": target.database,
        "protocol": 2,
        "socket_timeout": _ANSWER_S,
        "socket_connect_timeout": _ANSWER_S,
        "client_name": client_name,
        "credential_provider": credentials,
    }


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`. Raises ValueError with a sentence."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"Redis endpoint {endpoint!r} must be written host:port")
    return host.strip("[]"), int(port)


def _tls_options(tls: Tls) -> dict[str, Any]:
    return {
        "server_name": tls.server_name,
        "ssl_ca_certs": tls.ca_file,
        "ssl_ca_data": tls.ca_data,
        "ssl_certfile": tls.cert_file,
        "ssl_keyfile": tls.key_file,
    }


def without_newline(value: str) -> str:
    """Secrets made with `echo` end in a newline that no user name and no password has."""
    return value.rstrip("\r\n")
