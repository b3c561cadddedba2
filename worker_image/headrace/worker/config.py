"""The worker's configuration: one JSON file, written by the operator, without a secret in it."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError
from redis import Redis as BlockingRedis
from redis.asyncio import Redis, RedisCluster

from headrace.streams.connect import (
    LazyCluster,
    Role,
    connect,
    connect_any_slot,
    connect_blocking,
    credentials_of,
    locator_of,
    target_of,
)
from headrace.streams.keys import GroupKeys, StreamKeys
from headrace.streams.primary import Locator
from headrace.worker.errors import ConfigError
from headrace.worker.settling.decision import Policy
from headrace_api.mounts import CONFIG_FILE, ENV_CONFIG, ENV_POD
from headrace_api.v1alpha1 import RedisMode
from headrace_api.worker_config import WorkerConfig, first_wrong

BLOCK_MS = 5_000
GRACE_BESIDE_HANDLER = 15.0


def config_path() -> Path:
    """HEADRACE_CONFIG, else where the operator mounts it."""
    return Path(os.environ.get(ENV_CONFIG, CONFIG_FILE))


def load_config(path: Path) -> WorkerConfig:
    """Read and validate the file. Raises ConfigError with one sentence."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}; the operator writes it into"
            f" its pods, elsewhere name a file in {ENV_CONFIG}, or run handlers without Redis:"
            " headrace.testing.Harness in docs/handlers.md"
        ) from None
    try:
        return WorkerConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(f"the configuration {path} is wrong{first_wrong(error)}") from None


def consumer_name() -> tuple[str | None, str]:
    """(pod, consumer): the consumer is new in each process, so that no process acts for another.

    The pod is None outside of one: other processes on this host may be alive.
    """
    pod = os.environ.get(ENV_POD) or None
    return pod, f"{pod or socket.gethostname()}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the runtime needs of a WorkerConfig, in seconds and Redis's own names."""

    config: WorkerConfig
    keys: GroupKeys
    pod: str | None
    """None: what earlier processes of this host held is reclaimed like anybody's."""
    consumer: str
    policy: Policy
    handler_timeout: float
    min_idle: float
    block_ms: int = BLOCK_MS
    locator: Locator | None = None
    """Shared by the clients of the stream: they move to a new primary together."""

    @classmethod
    def of(cls, config: WorkerConfig) -> Self:
        delivery = config.delivery
        pod, consumer = consumer_name()
        redis = config.redis
        return cls(
            config=config,
            keys=StreamKeys(config.stream, config.dead_letter.stream).for_group(
                config.consumer_group
            ),
            pod=pod,
            consumer=consumer,
            policy=Policy.of(delivery),
            handler_timeout=delivery.handler_timeout.total_seconds(),
            min_idle=delivery.min_idle.total_seconds(),
            locator=locator_of(target_of(redis), credentials_of(redis), config.stream),
        )

    @property
    def bound(self) -> float:
        """Seconds after which a silent loop counts as hung."""
        return self.handler_timeout + GRACE_BESIDE_HANDLER

    @property
    def is_cluster(self) -> bool:
        """Whether keys of other streams live on other nodes."""
        return self.config.redis.mode is RedisMode.CLUSTER

    @property
    def owner(self) -> str:
        return f"{self.config.owner.key}/{self.config.owner.uid}"

    def connect(self, role: Role, key: str = "") -> Redis:
        """A client of the pipeline's Redis, in a Cluster of the node with `key` (default: the
        stream); credentials are read from their files each time."""
        redis = self.config.redis
        return connect(
            target_of(redis),
            credentials_of(redis),
            role=role,
            key=key or self.keys.stream,
            locator=None if key else self.locator,
            block_ms=self.block_ms,
            client_name=self.consumer,
        )

    def connect_any_slot(self) -> Redis | RedisCluster:
        """A client for the handlers' own keys."""
        redis = self.config.redis
        return connect_any_slot(target_of(redis), credentials_of(redis), client_name=self.consumer)

    def connect_blocking(self) -> BlockingRedis | LazyCluster:
        """The same for the threads of sync handlers."""
        target = self.config.redis
        return connect_blocking(
            target_of(target), credentials_of(target), client_name=self.consumer
        )
