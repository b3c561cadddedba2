"""How commands that people run reach Redis: by options, or by the worker's configuration.

The resource's models are loaded only for the latter: they take longer than all else here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import typer
from redis.asyncio import Redis

from headrace import garbage
from headrace.cli.connection_errors import advice
from headrace.cli.environment import ENV_CA, ENV_CERTIFICATE, ENV_KEY, ENV_PASSWORD
from headrace.cli.exits import FAILED, INTERRUPTED, refuse
from headrace.cli.progress import said_when_slow
from headrace.streams.connect import (
    REDIS_ERRORS,
    Mode,
    Target,
    connect,
    credentials_of,
    target_of,
    target_of_url,
)
from headrace.streams.credentials import credentials_of_url
from headrace.streams.groups import NotAStream
from headrace.streams.keys import StreamKeys, UnusableName
from headrace.streams.primary import same_slot
from headrace.streams.script import call
from headrace.streams.url import BadUrl, parse
from headrace.worker.errors import ConfigError

if TYPE_CHECKING:
    from headrace_api.worker_config import RedisTarget, WorkerConfig

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Place:
    """A Redis, and what the worker's configuration says if that is where it came from."""

    client: Redis
    config: WorkerConfig | None = None
    target: Target | None = None

    @property
    def address(self) -> str:
        return self.target.endpoints[0] if self.target is not None else "its address"

    def advice(self, error: BaseException) -> str:
        """What happened at this Redis, and what to do about it."""
        return advice(error, self.target, in_pod=self.config is not None)

    async def server_ms(self) -> int:
        """The server's clock."""
        seconds, micros = await call(self.client, ("TIME",))
        return int(seconds) * 1000 + int(micros) // 1000

    def keys(self, stream: str | None, dead_letters: str | None) -> StreamKeys:
        """The stream's keys: as told, else as configured. Raises ConfigError, UnusableName."""
        known = self.config
        if stream is None:
            if known is None:
                raise ConfigError("name the stream: only HEADRACE_CONFIG would tell which")
            stream = known.stream
        if (
            known is not None
            and self.target is not None
            and self.target.mode is Mode.CLUSTER
            and not same_slot(stream, known.stream)
        ):
            raise ConfigError(
                f"{stream} is in another slot of the Cluster than {known.stream};"
                " use the configuration of a pipeline that reads it"
            )
        if dead_letters is None and known is not None and stream == known.stream:
            dead_letters = known.dead_letter.stream
        return StreamKeys(stream, dead_letters)


def place_of(url: str | None) -> Place:
    """The Redis of the URL, else of the worker's configuration. Raises ConfigError."""
    if url is None:
        return _configured_place()
    try:
        parts = parse(url)
    except BadUrl as error:
        raise ConfigError(str(error)) from None
    credentials = credentials_of_url(parts, os.environ.get(ENV_PASSWORD))
    target = _with_files(target_of_url(parts))
    return Place(connect(target, credentials, role="admin"), target=target)


def _configured_place() -> Place:
    from headrace.worker.config import config_path, load_config

    path = config_path()
    if not path.exists():
        raise ConfigError(
            "which Redis? Give --url redis://HOST:6379/0, or set HEADRACE_REDIS_URL"
            f" (in a worker's pod {path} names it)"
        )
    config = load_config(path)
    return Place(connected(config.redis, config.stream), config, target_of(config.redis))


def _with_files(target: Target) -> Target:
    """With --ca, --cert and --key, which stand in the environment."""
    given = {
        "ca_file": os.environ.get(ENV_CA),
        "cert_file": os.environ.get(ENV_CERTIFICATE),
        "key_file": os.environ.get(ENV_KEY),
    }
    files = {name: path for name, path in given.items() if path}
    if not files:
        return target
    if target.tls is None:
        raise ConfigError("--ca, --cert and --key are for TLS: write rediss:// in the URL")
    for path in files.values():
        try:
            with open(path, "rb"):  # noqa: PTH123 - only whether it can be read
                pass
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return replace(target, tls=replace(target.tls, **files))


def connected(redis: RedisTarget, stream: str) -> Redis:
    """A client for a configuration's Redis; in a Cluster for the stream's slot."""
    return connect(target_of(redis), credentials_of(redis), role="admin", key=stream)


@asynccontextmanager
async def opened(url: str | None) -> AsyncIterator[Place]:
    """The Redis, seen to answer. Its failures end the command with one sentence."""
    place = place_of(url)
    try:
        async with said_when_slow(f"waiting for Redis at {place.address}"):
            await call(place.client, ("PING",))
        yield place
    except BrokenPipeError:
        raise  # whoever reads our output has seen enough
    except NotAStream as error:
        refuse(str(error), FAILED)
    except REDIS_ERRORS as error:
        refuse(place.advice(error), FAILED)
    finally:
        await place.client.aclose()


def command(work: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The same as a plain function: runs to its end, as `run` does."""

    @wraps(work)
    def started(*args: P.args, **named: P.kwargs) -> None:
        run(work(*args, **named))

    return started


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a command; what is wrong with its input or configuration ends in one sentence."""
    garbage.resume()
    try:
        asyncio.run(coroutine)
    except (ConfigError, UnusableName) as error:
        refuse(str(error))
    except NotAStream as error:
        refuse(str(error), FAILED)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        raise
    except REDIS_ERRORS as error:
        refuse(advice(error, None, in_pod=True), FAILED)
