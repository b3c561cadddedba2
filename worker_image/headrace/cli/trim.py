"""`headrace trim`: remove from a stream what no group needs any more."""

from __future__ import annotations

import os

import typer
from pydantic import ValidationError

from headrace.cli.names import exists
from headrace.cli.options import refuse
from headrace.cli.redis_options import command, connected
from headrace.streams.trim import Policy, Why
from headrace.streams.trim import trim as trim_stream
from headrace.worker.errors import ConfigError
from headrace_api.mounts import ENV_TRIM
from headrace_api.worker_config import TrimConfig, first_wrong


@command
async def run_trim() -> None:
    config = _config()
    client = connected(config.redis, config.stream)
    age = config.max_age_seconds
    try:
        await exists(client, config.stream)  # raises NotAStream
        result = await trim_stream(
            client,
            config.stream,
            config.groups,
            policy=Policy(config.policy.value),
            max_length=config.max_length,
            max_age_ms=round(age * 1000) if age is not None else None,
            ignore_groups=config.ignore_groups,
        )
    finally:
        await client.aclose()
    typer.echo(f"{config.stream}: removed {result.removed}, {result.length} left")
    if result.why is Why.NO_CLOCK:
        refuse(result.reason)
    if result.reason:
        typer.echo(f"stopped: {result.reason}")


def _config() -> TrimConfig:
    text = os.environ.get(ENV_TRIM)
    if not text:
        raise ConfigError(f"{ENV_TRIM} is empty; it holds the JSON of the trim to do")
    try:
        return TrimConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(f"{ENV_TRIM} is wrong{first_wrong(error)}") from None
