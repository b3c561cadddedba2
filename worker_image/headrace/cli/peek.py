"""`headrace peek`: some entries of a stream, without a trace in any group."""

from __future__ import annotations

from collections.abc import AsyncIterator

import typer

from headrace.cli.decoding import deserializers_of
from headrace.cli.entry_output import EntryLines, is_of_type
from headrace.cli.exits import FAILED, refuse
from headrace.cli.moments import check_start, start_id
from headrace.cli.names import exists
from headrace.cli.options import Output
from headrace.cli.progress import Progress
from headrace.cli.redis_options import Place, command, opened
from headrace.streams.entry_pages import Entry, entry_pages


@command
async def run_peek(
    stream: str,
    *,
    count: int,
    first: bool,
    since: str | None,
    type_: str | None,
    app: str | None,
    output: Output,
    url: str | None,
) -> None:
    check_start(since)
    async with opened(url) as place:
        deserializers = deserializers_of(app, place)
        await check_exists(place, stream)
        begin = b"-" if since is None else await start_id(place, stream, since)
        newest_first = since is None and not first
        lines = EntryLines(output, deserializers)
        async for entry in _found(place, stream, begin, newest_first, type_):
            lines.print(entry)
            if lines.count == count:
                return
    if not lines.count:
        what = "entry" if type_ is None else f"entry of type {type_}"
        typer.echo(f"{stream} holds no {what}" + (f" since {since}" if since else ""), err=True)


async def check_exists(place: Place, stream: str) -> None:
    """Ends the command where there is no such stream."""
    if not await exists(place.client, place.keys(stream, None).stream):
        refuse(f"there is no stream {stream} at {place.address}", FAILED)


async def _found(
    place: Place, stream: str, begin: bytes, newest_first: bool, type_: str | None
) -> AsyncIterator[Entry]:
    looked_at = 0
    with Progress("entries looked at:") as progress:
        pages = entry_pages(place.client, stream, since=begin, newest_first=newest_first)
        async for page in pages:
            for entry in page:
                if is_of_type(entry, type_):
                    yield entry
            looked_at += len(page)
            progress.show(looked_at)
