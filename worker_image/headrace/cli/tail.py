"""`headrace tail`: entries as they come, without a trace in any group.

It asks again and again in place of a blocking read: that needs no right that workers do not have,
and where it stands is an id, so a lost connection loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import typer

from headrace.cli.decoding import deserializers_of
from headrace.cli.entry_output import EntryLines, is_of_type
from headrace.cli.moments import check_start, last_generated_id, start_id
from headrace.cli.options import Output
from headrace.cli.peek import check_exists
from headrace.cli.redis_options import Place, command, opened
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.entry_pages import Entry, entry_pages
from headrace.streams.outages import is_lost, is_passing
from headrace.worker.backoff import attempts

POLL_SECONDS = 0.25


@command
async def run_tail(
    stream: str,
    *,
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
        if since is not None:
            begin = await start_id(place, stream, since)
        else:
            begin = b"(" + await last_generated_id(place, stream)
        lines = EntryLines(output, deserializers)
        async for page in _follow(place, stream, begin):
            for entry in page:
                if is_of_type(entry, type_):
                    lines.print(entry)


async def _follow(place: Place, stream: str, begin: bytes) -> AsyncIterator[list[Entry]]:
    """Pages for ever. Raises redis errors that do not pass by themselves."""
    waits: Iterator[float] | None = None
    while True:
        try:
            async for page in entry_pages(place.client, stream, since=begin):
                begin = b"(" + page[-1][0]
                yield page
        except REDIS_ERRORS as error:
            if not (is_lost(error) or is_passing(error)):
                raise
            if waits is None:
                typer.echo(f"headrace: {place.advice(error)}; trying again", err=True)
                waits = attempts()
            await asyncio.sleep(next(waits))
            continue
        if waits is not None:
            typer.echo("headrace: Redis answers again", err=True)
            waits = None
        await asyncio.sleep(POLL_SECONDS)
