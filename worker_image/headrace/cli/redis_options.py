"""How commands that people run reach Redis: by options, or by the worker's configuration."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, NoReturn

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from headrace.streams.connect import connect
from headrace.streams.url import BadUrl, parse
from headrace.worker.config import WorkerSettings, config_path, load_config
from headrace.worker.errors import ConfigError
from headrace.worker.outage import sentence

UrlOption = typer.Option(
    None,
    "--url",
    envvar="HEADRACE_REDIS_URL",
    help="redis://HOST:PORT/DB; without it, the Redis of the file that HEADRACE_CONFIG names. "
    "Give a password by the environment (HEADRACE_REDIS_URL or HEADRACE_REDIS_PASSWORD), not here.",
    show_envvar=True,
)


def client_of(url: str | None) -> Redis:
    """A client for the URL, else for the worker's configuration. Raises ConfigError."""
    if url is None:
        return WorkerSettings.of(load_config(config_path())).connect("admin")
    try:
        parts = parse(url)
    except BadUrl as error:
        raise ConfigError(str(error)) from None
    password = os.environ.get("HEADRACE_REDIS_PASSWORD")
    return connect(parts.target, parts.credentials(password), role="admin")


def refuse(reason: str, code: int = 2) -> NoReturn:
    """End with one sentence on stderr."""
    typer.echo(f"headrace: {reason}", err=True)
    raise typer.Exit(code)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a command; failures of Redis and of the configuration end in one sentence."""
    try:
        asyncio.run(coroutine)
    except ConfigError as error:
        refuse(str(error))
    except (RedisError, OSError) as error:
        refuse(sentence(error), 1)
