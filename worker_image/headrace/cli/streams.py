"""`headrace streams`: which streams there are, who reads them, and whose the groups are."""

from __future__ import annotations

from typing import Any, NoReturn

import typer
from redis.exceptions import NoPermissionError

from headrace.cli.backlog import lag_text
from headrace.cli.exits import FAILED, refuse
from headrace.cli.names import group_names, stream_names
from headrace.cli.options import Output
from headrace.cli.output import plural, print_data, print_table
from headrace.cli.progress import Progress
from headrace.cli.redis_options import Place, command, opened
from headrace.streams import refusals
from headrace.streams.backlog import StreamBacklog
from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.keys import StreamKeys, UnusableName

COLUMNS = ("STREAM", "ENTRIES", "DEAD", "GROUP", "LAG", "PENDING", "OWNER")


@command
async def run_streams(beginning: str, output: Output, url: str | None) -> None:
    async with opened(url) as place:
        found: list[StreamBacklog] = []
        with Progress("streams looked at:") as progress:
            async for raw in stream_names(place.client, beginning):
                one = await _look(place, raw)
                if one is not None:
                    found.append(one)
                    progress.show(len(found))
    closed = [one for one in found if one.error]
    found = sorted((one for one in found if not one.error), key=lambda one: one.stream)
    if output is not Output.TABLE:
        print_data([_plain(one) for one in found], output)
    elif not found and not closed:
        typer.echo(f"no stream at {place.address}", err=True)
    elif found:
        rows = [row for one in found for row in _rows(one)]
        print_table(COLUMNS, rows, right="ENTRIES DEAD LAG PENDING")
    if closed:
        _refuse_for(closed)


async def _look(place: Place, raw: bytes) -> StreamBacklog | None:
    """None for one that was deleted meanwhile, and for a name that no Headrace key can have. One
    that this user may not read has an `error`."""
    try:
        keys = StreamKeys(raw.decode())
    except (UnusableName, UnicodeDecodeError):
        return None
    try:
        groups = await group_names(place.client, keys.stream)
    except NoPermissionError as error:
        return StreamBacklog(keys.stream, error=refusals.describe(error))
    if groups is None:
        return None
    (found,) = await read_backlogs(place.client, [(keys, groups)])
    return found if found.exists or found.error else None


def _refuse_for(closed: list[StreamBacklog]) -> NoReturn:
    """Some could not be read: what is printed is not all there is."""
    first, *more = closed
    others = f" (and {plural(len(more), 'stream')} more)" if more else ""
    refuse(f"{first.stream}: {refusals.advised(first.error or '')}{others}", FAILED)


def _rows(one: StreamBacklog) -> list[tuple[str, ...]]:
    head = (one.stream, f"{one.length:,}", f"{one.dead_letters:,}")
    rows = [
        (name, lag_text(group), f"{group.pending:,}", group.owner or "-")
        for name, group in one.groups.items()
    ] or [("-", "", "", "")]
    return [(head if not index else ("", "", "")) + row for index, row in enumerate(rows)]


def _plain(one: StreamBacklog) -> dict[str, Any]:
    return {
        "stream": one.stream,
        "entries": one.length,
        "deadLetters": one.dead_letters,
        "groups": [
            {"group": name, "lag": group.lag, "pending": group.pending, "owner": group.owner}
            for name, group in one.groups.items()
        ],
    }
