"""`headrace pending`: who holds a group's entries, how long, and how often they were delivered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from headrace.cli.backlog import backlog_of
from headrace.cli.exits import FAILED, refuse
from headrace.cli.options import Output
from headrace.cli.output import cut, duration, print_data, print_table, printable, screen_width
from headrace.cli.progress import Progress
from headrace.cli.redis_options import Place, command, opened
from headrace.streams.backlog import GroupBacklog, StreamBacklog
from headrace.streams.entries import Source
from headrace.streams.keys import PARKED, GroupKeys, StreamKeys
from headrace.streams.pending import PendingEntry, pending_pages

COLUMNS = ("GROUP", "ENTRIES", "IDLE", "DELIVERIES", "CONSUMER")


@dataclass(slots=True)
class Held:
    """What one consumer holds."""

    entries: int = 0
    longest_idle_ms: int = 0
    most_deliveries: int = 0

    def add(self, entry: PendingEntry) -> None:
        self.entries += 1
        self.longest_idle_ms = max(self.longest_idle_ms, entry.idle_ms)
        self.most_deliveries = max(self.most_deliveries, entry.deliveries)


@command
async def run_pending(
    stream: str, group: str | None, each: bool, limit: int, output: Output, url: str | None
) -> None:
    if group is not None:
        StreamKeys(stream).for_group(group)  # refuse what can be no group before Redis is asked
    async with opened(url) as place:
        keys = place.keys(stream, None)
        found = await backlog_of(place, keys, [group] if group is not None else [])
        if group is not None and not found.groups[group].exists:
            refuse(f"stream {stream} has no group {group}", FAILED)
        names = list(found.groups)
        if each:
            count = await _list_each(place, [keys.for_group(name) for name in names], output, limit)
            if not count:
                what = "nothing is pending in" if names else "no consumer group reads"
                typer.echo(f"{what} {stream}", err=True)
            return
        held = {name: await _held(place, keys.for_group(name)) for name in names}
    _print(found, held, output)


async def _held(place: Place, keys: GroupKeys) -> dict[str, Held]:
    """By consumer: those that have been silent for longest first, what is parked last."""
    held: dict[str, Held] = {}
    read = 0
    with Progress("entries looked at:") as progress:
        async for page in pending_pages(place.client, keys):
            for entry in page:
                held.setdefault(entry.consumer, Held()).add(entry)
            read += len(page)
            progress.show(read)
    order = sorted(held.items(), key=lambda one: (one[0] == PARKED, -one[1].longest_idle_ms))
    return dict(order)


def _print(found: StreamBacklog, held: dict[str, dict[str, Held]], output: Output) -> None:
    if output is not Output.TABLE:
        groups = held.items()
        data = [
            _plain(found.groups[name], name, *row) for name, one in groups for row in one.items()
        ]
        print_data(data, output)
        return
    if not held:
        typer.echo(f"no consumer group reads {found.stream}")
        return
    rows: list[tuple[str, ...]] = []
    for name, consumers in held.items():
        rows += [_row(found.groups[name], name, *one) for one in consumers.items()]
        if not consumers:
            rows.append((name, "0", "", "", "-"))
    print_table(COLUMNS, rows, right="ENTRIES IDLE DELIVERIES")


def _row(group: GroupBacklog, name: str, consumer: str, held: Held) -> tuple[str, ...]:
    return (
        name,
        f"{held.entries:,}",
        duration(held.longest_idle_ms / 1000),
        f"{held.most_deliveries:,}",
        parked_text(group) if consumer == PARKED else consumer,
    )


def parked_text(group: GroupBacklog) -> str:
    """What stands in place of a consumer where entries wait for their next try."""
    due = [f"{group.due_now:,} due now"] if group.due_now else []
    if group.next_due_ms is not None:
        due.append(f"next in {duration(group.next_due_ms / 1000)}")
    return "parked for a retry" + (f": {', '.join(due)}" if due else "")


def _plain(group: GroupBacklog, name: str, consumer: str, held: Held) -> dict[str, Any]:
    document: dict[str, Any] = {
        "group": name,
        "consumer": consumer,
        "parked": consumer == PARKED,
        "entries": held.entries,
        "longestIdleSeconds": held.longest_idle_ms / 1000,
        "mostDeliveries": held.most_deliveries,
    }
    if consumer == PARKED:
        wait = group.next_due_ms
        document |= {
            "dueNow": group.due_now,
            "nextDueSeconds": None if wait is None else wait / 1000,
        }
    return document


async def _list_each(place: Place, groups: list[GroupKeys], output: Output, limit: int) -> int:
    """How many were listed."""
    lines = Lines(output)
    for keys in groups:
        async for page in pending_pages(place.client, keys, with_due=True):
            now_ms = await place.server_ms()
            for entry in page:
                if lines.count == limit:
                    typer.echo(f"there are more; this is the limit of {limit} (--limit)", err=True)
                    return lines.count
                lines.print(keys.group, entry, now_ms)
    return lines.count


class Lines:
    """One line for each entry: columns for people, an object for programs."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.count = 0

    def print(self, group: str, entry: PendingEntry, now_ms: int) -> None:
        if self._output is not Output.TABLE:
            one = _plain_entry(group, entry, now_ms)
            print_data([one] if self._output is Output.YAML else one, self._output)
        else:
            if not self.count:
                typer.echo(f"{'ID':<17} {'GROUP':<12} {'IDLE':>5} {'DELIVERIES':>10}  CONSUMER")
            where = f"{entry.id.decode():<17} {printable(group):<12}"
            known = f"{duration(entry.idle_ms / 1000):>5} {entry.deliveries:>10}"
            typer.echo(cut(f"{where} {known}  {_holder(entry, now_ms)}", screen_width()))
        self.count += 1


def _holder(entry: PendingEntry, now_ms: int) -> str:
    text = printable(entry.consumer)
    if entry.parked:
        wait = None if entry.due_at_ms is None else entry.due_at_ms - now_ms
        text = "parked"
        if wait is not None:
            text += ", due now" if wait <= 0 else f", due in {duration(wait / 1000)}"
    return text + (" (replayed)" if entry.source is Source.REPLAY else "")


def _plain_entry(group: str, entry: PendingEntry, now_ms: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": entry.id.decode(),
        "group": group,
        "consumer": entry.consumer,
        "parked": entry.parked,
        "replayed": entry.source is Source.REPLAY,
        "idleSeconds": entry.idle_ms / 1000,
        "deliveries": entry.deliveries,
    }
    if entry.parked:
        due = entry.due_at_ms
        document["dueSeconds"] = None if due is None else (due - now_ms) / 1000
    return document
