"""`headrace backlog`: what a stream's groups still have to do."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import Any

import typer

from headrace.cli.exits import FAILED, refuse
from headrace.cli.names import group_names
from headrace.cli.options import Output
from headrace.cli.output import CLEAR_SCREEN, duration, plural, print_data, print_table
from headrace.cli.redis_options import Place, command, opened
from headrace.cli.shards import shards_of
from headrace.cli.terminal import is_terminal
from headrace.streams import refusals
from headrace.streams.backlog import GroupBacklog, StreamBacklog
from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.detect import detect
from headrace.streams.keys import StreamKeys
from headrace.streams.server import Server
from headrace.streams.shards import Shard, hot_shard

WATCH_SECONDS = 2.0
COLUMNS = ("GROUP", "LAG", "PENDING", "PARKED", "WAITING", "OLDEST", "FLOOR")
NUMBERS = "LAG PENDING PARKED WAITING OLDEST"


@command
async def run_backlog(
    stream: str,
    groups: list[str],
    output: Output,
    watch: bool,
    dead_letters: str | None,
    url: str | None,
) -> None:
    for group in groups:
        StreamKeys(stream).for_group(group)  # refuse what can be no group before Redis is asked
    async with opened(url) as place:
        keys = place.keys(stream, dead_letters)
        shards = await shards_of(place)
        while True:
            found = await backlog_of(place, keys, groups)
            if watch and output is Output.TABLE:
                clear = CLEAR_SCREEN if is_terminal(sys.stdout) else ""
                typer.echo(f"{clear}{datetime.now().astimezone():%H:%M:%S}  ", nl=False)
            elif watch and output is Output.YAML:
                typer.echo("---")
            _print(found, await detect(place.client), shards, output)
            if not watch:
                break
            await asyncio.sleep(WATCH_SECONDS)
    if hot := hot_shard(shards):
        typer.echo(f"warning: {hot}", err=True)
    missing = [name for name, group in found.groups.items() if not group.exists]
    if missing:
        refuse(f"stream {stream} has no group {', '.join(missing)}", FAILED)


async def backlog_of(place: Place, keys: StreamKeys, groups: list[str]) -> StreamBacklog:
    """The backlog of these groups, or of all; ends the command where there is no such stream."""
    names = await group_names(place.client, keys.stream)
    if names is None:
        refuse(f"there is no stream {keys.stream} at {place.address}", FAILED)
    (found,) = await read_backlogs(place.client, [(keys, groups or names)])
    if found.error:
        refuse(f"{keys.stream}: {refusals.advised(found.error)}", FAILED)
    if not found.exists:
        refuse(f"there is no stream {keys.stream} at {place.address}", FAILED)
    return found


def _print(found: StreamBacklog, server: Server, shards: list[Shard], output: Output) -> None:
    if output is not Output.TABLE:
        print_data(_plain(found, server, shards), output)
        return
    letters = plural(found.dead_letters, "dead letter")
    typer.echo(f"{found.stream}: {plural(found.length, 'entry')}, {letters}")
    if not found.groups:
        typer.echo("no consumer group reads it")
        return
    print_table(COLUMNS, [_row(*one) for one in found.groups.items()], right=NUMBERS)


def _plain(found: StreamBacklog, server: Server, shards: list[Shard]) -> dict[str, Any]:
    return {
        "stream": found.stream,
        "entries": found.length,
        "entriesAdded": found.entries_added,
        "firstId": found.first_id,
        "lastId": found.last_id,
        "deadLetters": found.dead_letters,
        "groups": [_plain_group(*one) for one in found.groups.items()],
        "server": server.as_data(),
        "shards": [_plain_shard(one) for one in shards],
    }


def _plain_group(name: str, group: GroupBacklog) -> dict[str, Any]:
    next_due = group.next_due_ms
    return {
        "group": name,
        "exists": group.exists,
        "lag": group.lag,
        "lagQuality": str(group.quality),
        "lagSource": group.source,
        "pending": group.pending,
        "parked": group.parked,
        "dueNow": group.due_now,
        "nextDueSeconds": None if next_due is None else next_due / 1000,
        "waiting": group.ready,
        "oldestAgeSeconds": group.oldest_age_s,
        "floorId": group.floor_id,
        "lastDeliveredId": group.last_delivered_id,
        "firstUnreadId": group.first_unread_id,
        "aheadOfStream": group.ahead_of_stream,
        "owner": group.owner,
    }


def _plain_shard(shard: Shard) -> dict[str, Any]:
    return {
        "address": shard.address,
        "memoryBytes": shard.memory,
        "inputKiBPerSecond": shard.input,
    }


def _row(name: str, group: GroupBacklog) -> tuple[str, ...]:
    if not group.exists:
        return (name, "no such group", "", "", "", "", "")
    return (
        name,
        lag_text(group),
        f"{group.pending:,}",
        f"{group.parked:,}",
        "unknown" if group.ready is None else f"{group.ready:,}",
        "" if group.oldest_age_s is None else duration(group.oldest_age_s),
        group.floor_id or "",
    )


def lag_text(group: GroupBacklog) -> str:
    """`12`, `<= 12` where the server may overstate it, `unknown`: never a made-up 0."""
    if group.lag is None:
        return "unknown"
    return f"{group.lag:,}" if group.quality == "exact" else f"<= {group.lag:,}"
