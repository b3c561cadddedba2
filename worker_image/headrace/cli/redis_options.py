"""How commands that people run reach Redis: by options, or by the worker's configuration."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from headrace.cli.options import FAILED, refuse
from headrace.streams.connect import NotImplementedMode, connect, credentials_of, target_of
from headrace.streams.keys import StreamKeys, UnusableName
from headrace.streams.url import BadUrl, parse
from headrace.worker.config import config_path, load_config
from headrace.worker.errors import ConfigError
from headrace.worker.outage import sentence
from headrace_api.worker_config import RedisTarget, WorkerConfig

ENV_PASSWORD = "HEADRACE_REDIS_PASSWORD"  # noqa: S105 - a variable's name


@dataclass(frozen=True, slots=True)
class Place:
    """A Redis, and what the worker's configuration says if that is where it came from."""

    client: Redis
    config: WorkerConfig | None = None

    def keys(self, stream: str | None, dead_letters: str | None) -> StreamKeys:
        """The stream's keys: as told, else as configured. Raises ConfigError, UnusableName."""
        known = self.config
        if stream is None:
            if known is None:
                raise ConfigError("name the stream: only HEADRACE_CONFIG would tell which")
            stream = known.stream
        if dead_letters is None and known is not None and stream == known.stream:
            dead_letters = known.dead_letter.stream
        return StreamKeys(stream, dead_letters)


def place_of(url: str | None) -> Place:
    """The Redis of the URL, else of the worker's configuration. Raises ConfigError."""
    if url is None:
        config = load_config(config_path())
        return Place(connected(config.redis), config)
    try:
        parts = parse(url)
    except BadUrl as error:
        raise ConfigError(str(error)) from None
    credentials = parts.credentials(os.environ.get(ENV_PASSWORD))
    return Place(connect(parts.target, credentials, role="admin"))


def connected(redis: RedisTarget) -> Redis:
    """A client for a configuration's Redis. Raises NotImplementedMode."""
    return connect(target_of(redis), credentials_of(redis), role="admin")


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a command; failures of Redis and of the configuration end in one sentence."""
    try:
        asyncio.run(coroutine)
    except (ConfigError, UnusableName, NotImplementedMode) as error:
        refuse(str(error))
    except BrokenPipeError:
        raise  # whoever reads our output has seen enough
    except (RedisError, OSError) as error:
        refuse(sentence(error), FAILED)
