"""`headrace plan`: entries, memory and trim for a stream, before or while it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from headrace.cli import planning
from headrace.cli.exits import FAILED, refuse
from headrace.cli.moments import last_generated_id
from headrace.cli.names import exists
from headrace.cli.options import Output
from headrace.cli.output import print_data, size
from headrace.cli.planning import Plan
from headrace.cli.redis_options import Place, opened, run
from headrace.streams.entry_pages import entry_pages
from headrace.streams.ids import is_clock, parse_id
from headrace.streams.script import call
from headrace.streams.server_info import read_info
from headrace_api.duration import parse as parse_duration

SAMPLES = 100
LEAST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """A stream as it stands: bytes of memory an entry, events a second (None: not to be told), and
    the server's memory."""

    entry_bytes: float | None
    rate: float | None
    used: int
    maxmemory: int


def run_plan(
    stream: str | None,
    rate: str | None,
    payload: str | None,
    retention: str,
    output: Output,
    url: str | None,
) -> None:
    try:
        told_rate = None if rate is None else planning.rate_of(rate)
        told_bytes = None if payload is None else planning.entry_bytes(planning.bytes_of(payload))
        seconds = parse_duration(retention).total_seconds()
    except ValueError as error:
        refuse(str(error))
    if not seconds:
        refuse("--retention is 0; say how long events shall be there, as 24h")
    if stream is None and (told_rate is None or told_bytes is None):
        refuse("give --rate and --payload, or a stream that has them")
    if stream is None and url is None:
        assert told_rate is not None
        assert told_bytes is not None
        _print(planning.plan(told_rate, told_bytes, seconds), None, retention, output)
        return
    run(_planned(stream, told_rate, told_bytes, seconds, retention, output, url))


async def _planned(
    stream: str | None,
    rate: float | None,
    each: float | None,
    seconds: float,
    retention: str,
    output: Output,
    url: str | None,
) -> None:
    async with opened(url) as place:
        seen = await _seen(place, stream)
    rate, each = rate or seen.rate, each or seen.entry_bytes
    if each is None:
        refuse(f"{stream} is empty: give --payload", FAILED)
    if rate is None:
        refuse(f"{stream} does not tell how fast it grows: give --rate", FAILED)
    _print(planning.plan(rate, each, seconds), seen, retention, output)


async def _seen(place: Place, stream: str | None) -> Seen:
    info = await read_info(place.client, "memory")
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if stream is None:
        return Seen(None, None, used, most)
    keys = place.keys(stream, None)
    if not await exists(place.client, keys.stream):
        refuse(f"there is no stream {stream} at {place.address}", FAILED)
    length = await call(place.client, ("XLEN", stream))
    usage = await call(place.client, ("MEMORY", "USAGE", stream, "SAMPLES", SAMPLES))
    each = usage / length if length else None
    return Seen(each, await _rate(place, stream, length), used, most)


async def _rate(place: Place, stream: str, length: int) -> float | None:
    """Events a second from the first entry to the last, by their ids."""
    async for page in entry_pages(place.client, stream):
        first = parse_id(page[0][0])
        last = parse_id(await last_generated_id(place, stream))
        seconds = (last[0] - first[0]) / 1000
        if seconds >= LEAST_SECONDS and is_clock(first, await place.server_ms()):
            return float(length / seconds)
        break
    return None


def _print(made: Plan, seen: Seen | None, retention: str, output: Output) -> None:
    if output is not Output.TABLE:
        print_data(_plain(made, seen), output)
        return
    rate = made.entries / parse_duration(retention).total_seconds()
    rows = [
        ("entries", f"{made.entries:,}", f"{rate:,.1f}/s for {retention}"),
        ("an entry", size(made.entry_bytes), "in memory, payload and all"),
        ("the stream", size(made.memory), "just before a trim"),
        ("maxmemory", size(made.maxmemory), "or more: a quarter stays free"),
        ("an hour more", size(made.bytes_an_hour), "each hour that a group is away or behind"),
    ]
    for name, value, note in rows:
        typer.echo(f"{name:<14} {value:>12}  {note}")
    if seen is not None:
        typer.echo(f"{'the server':<14} {size(seen.used):>12}  used {_room(made, seen)}")
    typer.echo("\nstream:\n  trim:")
    typer.echo(f'    maxLength: {made.max_length}\n    schedule: "{made.schedule}"')


def _room(made: Plan, seen: Seen) -> str:
    if not seen.maxmemory:
        return "now, without a maxmemory"
    fits = "enough" if seen.maxmemory >= made.maxmemory else "too little"
    return f"of {size(seen.maxmemory)}: {fits}"


def _plain(made: Plan, seen: Seen | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "entries": made.entries,
        "entryBytes": round(made.entry_bytes, 1),
        "streamBytes": made.memory,
        "maxmemoryBytes": made.maxmemory,
        "bytesAnHour": made.bytes_an_hour,
        "trim": {"maxLength": made.max_length, "schedule": made.schedule},
    }
    if seen is not None:
        document["server"] = {"usedBytes": seen.used, "maxmemoryBytes": seen.maxmemory}
    return document
