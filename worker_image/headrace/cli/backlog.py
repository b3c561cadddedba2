"""`headrace backlog`: what a stream's groups still have to do."""

from __future__ import annotations

import dataclasses
import json

import typer
from rich.console import Console
from rich.table import Table

from headrace.cli.options import FAILED, Output, refuse
from headrace.cli.redis_options import place_of, run
from headrace.streams.backlog import StreamBacklog
from headrace.streams.backlog_reader import read_backlogs


def run_backlog(
    stream: str, groups: list[str], output: Output, dead_letters: str | None, url: str | None
) -> None:
    run(_backlog(stream, groups, output, dead_letters, url))


async def _backlog(
    stream: str, groups: list[str], output: Output, dead_letters: str | None, url: str | None
) -> None:
    place = place_of(url)
    try:
        keys = place.keys(stream, dead_letters)
        for group in groups:
            keys.for_group(group)  # refuse what can be no group before Redis is asked
        (found,) = await read_backlogs(place.client, [(keys, groups)])
    finally:
        await place.client.aclose()
    if found.error:
        refuse(f"{stream}: {found.error}", FAILED)
    if output is Output.JSON:
        typer.echo(json.dumps(dataclasses.asdict(found), default=str))
    else:
        Console().print(_table(found))


def _table(found: StreamBacklog) -> Table:
    table = Table(
        title=f"{found.stream}: {found.length:,} entries, {found.dead_letters:,} dead letters",
        title_justify="left",
    )
    for name in ("GROUP", "LAG", "PENDING", "PARKED", "READY", "OLDEST", "FLOOR"):
        table.add_column(name, justify="left" if name in ("GROUP", "FLOOR") else "right")
    for name, group in found.groups.items():
        if not group.exists:
            table.add_row(name, "no such group", "", "", "", "", "")
            continue
        lag = "unknown" if group.lag is None else f"{group.lag:,}"
        ready = "unknown" if group.ready is None else f"{group.ready:,}"
        age = "" if group.oldest_age_s is None else f"{group.oldest_age_s:,.1f} s"
        table.add_row(
            name,
            f"{lag} ({group.quality})" if group.quality != "exact" else lag,
            f"{group.pending:,}",
            f"{group.parked:,}",
            ready,
            age,
            group.floor_id or "",
        )
    return table
