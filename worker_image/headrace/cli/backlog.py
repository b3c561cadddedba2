"""`headrace backlog`: what a stream's groups still have to do."""

from __future__ import annotations

import dataclasses
import json

import typer
from rich.console import Console
from rich.table import Table

from headrace.cli.redis_options import UrlOption, client_of, refuse, run
from headrace.streams.backlog import StreamBacklog, read_backlogs
from headrace.streams.keys import StreamKeys, UnusableName


def backlog(
    stream: str = typer.Argument(help="Key of the stream."),
    groups: list[str] = typer.Argument(help="Consumer groups to show."),
    output: str = typer.Option("table", "--output", "-o", help="table or json"),
    url: str | None = UrlOption,
) -> None:
    """Show lag, pending, parked and ready backlog of consumer groups.

    An unknown lag is shown as unknown, never as 0.
    """
    run(_backlog(stream, groups, output, url))


async def _backlog(stream: str, groups: list[str], output: str, url: str | None) -> None:
    try:
        keys = StreamKeys(stream)
    except UnusableName as error:
        refuse(str(error))
    client = client_of(url)
    try:
        (found,) = await read_backlogs(client, [(keys, groups)])
    finally:
        await client.aclose()
    if found.error:
        refuse(f"{stream}: {found.error}", 1)
    if output == "json":
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
