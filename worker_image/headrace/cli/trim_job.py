"""`headrace trim` in a trim Job: the environment says what to trim, the termination message how it
went."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from pydantic import ValidationError
from redis.asyncio import Redis

from headrace.cli.exits import refuse
from headrace.cli.names import exists
from headrace.cli.redis_options import command, connected
from headrace.streams.memory import memory_of
from headrace.streams.pending import pending_at
from headrace.streams.trim import Policy, TrimResult, Why, trim
from headrace.worker.errors import ConfigError
from headrace_api.mounts import ENV_POD, ENV_TRIM
from headrace_api.trim_report import TERMINATION_LOG, TrimReport
from headrace_api.v1alpha1.status import MOST_DESTROYED_OF, DestroyedEntries
from headrace_api.worker_config import TrimConfig, first_wrong


@command
async def run_trim_job() -> None:
    config = _config()
    client = connected(config.redis, config.stream)
    age = config.max_age_seconds
    try:
        await exists(client, config.stream)  # raises NotAStream
        before = await memory_of(client, config.stream)
        result = await trim(
            client,
            config.stream,
            config.groups,
            policy=Policy(config.policy.value),
            max_length=config.max_length,
            max_age_ms=round(age * 1000) if age is not None else None,
            ignore_groups=config.ignore_groups,
        )
        report = await _report(client, config.stream, result, before)
    finally:
        await client.aclose()
    typer.echo(f"{config.stream}: removed {result.removed}, {result.length} left")
    if report.destruction:
        typer.echo(report.destruction)
    if result.why is Why.NO_CLOCK:
        refuse(result.reason)
    if result.reason:
        typer.echo(f"stopped: {result.reason}")
    _leave(report)


async def _report(client: Redis, stream: str, result: TrimResult, before: int | None) -> TrimReport:
    """`before`: bytes of the stream before the trim, None where they are not known."""
    after = await memory_of(client, stream)
    return TrimReport(
        removed=result.removed,
        length=result.length,
        freed_bytes=max(before - after, 0) if before is not None and after is not None else None,
        held_back_by=result.held_back_by,
        consumer=await _holder(client, stream, result),
        destroyed=tuple(
            DestroyedEntries(group=one.group, unread=one.unread, pending=one.pending)
            for one in result.destroyed[:MOST_DESTROYED_OF]
        ),
    )


async def _holder(client: Redis, stream: str, result: TrimResult) -> str | None:
    """Whose pending entry stands at the floor."""
    if result.why is not Why.FLOOR or result.floor is None:
        return None
    held = await pending_at(client, stream, result.held_back_by or "", result.floor)
    return held.consumer if held is not None else None


def _leave(report: TrimReport) -> None:
    """For the pipeline's status. Outside of a pod there is nobody to tell."""
    path = Path(TERMINATION_LOG)
    if os.environ.get(ENV_POD) and path.exists():
        path.write_text(report.canonical_json(), "utf-8")


def _config() -> TrimConfig:
    text = os.environ.get(ENV_TRIM)
    if not text:
        raise ConfigError(
            "which stream? headrace trim STREAM --max-length N"
            f" (in a trim Job {ENV_TRIM} says it, as JSON)"
        )
    try:
        return TrimConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(f"{ENV_TRIM} is wrong{first_wrong(error)}") from None
