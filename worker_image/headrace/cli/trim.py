"""`headrace trim`: remove from a stream what no group needs any more.

A person names stream and length; in a trim Job the environment does, see trim_job.py.
"""

from __future__ import annotations

import typer

from headrace.cli.backlog import backlog_of
from headrace.cli.exits import FAILED, refuse
from headrace.cli.output import duration, plural, print_table
from headrace.cli.progress import Progress
from headrace.cli.questions import ask
from headrace.cli.redis_options import Place, command, opened
from headrace.streams.backlog import GroupBacklog, StreamBacklog
from headrace.streams.pending import pending_at
from headrace.streams.trim import trim as trim_stream
from headrace.streams.trim_plan import Keeper, TrimPlan, plan_trim

COLUMNS = ("GROUP", "KEEPS", "BECAUSE")


def run_trim(
    stream: str | None, max_length: int | None, *, dry_run: bool, yes: bool, url: str | None
) -> None:
    """Refuses half a choice: a stream without a length, or a length without a stream."""
    if stream is None:
        if max_length is not None or dry_run or yes:
            refuse("name the stream: headrace trim STREAM --max-length N")
        from headrace.cli.trim_job import run_trim_job

        run_trim_job()
    elif max_length is None:
        refuse("say how many entries stay: --max-length N")
    else:
        _trim_as_asked(stream, max_length, dry_run=dry_run, yes=yes, url=url)


@command
async def _trim_as_asked(
    stream: str, max_length: int, *, dry_run: bool, yes: bool, url: str | None
) -> None:
    async with opened(url) as place:
        found = await backlog_of(place, place.keys(stream, None), [])
        if not found.groups:
            refuse(f"no group reads {stream}, so nothing says what was handled: all stays", FAILED)
        beyond = max(0, found.length - max_length)
        plan = await _plan(place, found, beyond)
        would = f"{plural(plan.removable, 'entry')} of {found.length:,}"
        if dry_run or not plan.removable:
            typer.echo(f"would remove {would}" if dry_run else f"removed 0 of {found.length:,}")
        else:
            if not yes:
                ask(f"Remove {would} of {stream} for good?", what="trimming")
            result = await trim_stream(place.client, stream, [], max_length=max_length)
            typer.echo(f"removed {plural(result.removed, 'entry')}, {result.length:,} left")
        await _print_keepers(place, found, plan, beyond)


async def _plan(place: Place, found: StreamBacklog, beyond: int) -> TrimPlan:
    with Progress("entries counted:", beyond) as progress:
        return await plan_trim(place.client, found.stream, found.groups, beyond, progress.show)


async def _print_keepers(place: Place, found: StreamBacklog, plan: TrimPlan, beyond: int) -> None:
    """The groups without which more would go, and which consumer it is."""
    if not plan.keepers:
        return
    kept = beyond - plan.removable
    typer.echo(f"{plural(kept, 'entry')} beyond the limit must stay:")
    rows = [(one.group, f"{one.entries:,}", await _why(place, found, one)) for one in plan.keepers]
    print_table(COLUMNS, rows, right="KEEPS")


async def _why(place: Place, found: StreamBacklog, keeper: Keeper) -> str:
    group: GroupBacklog = found.groups[keeper.group]
    if group.ahead_of_stream:
        return "it stands ahead of the stream, and will be set back"
    id_ = keeper.floor
    held = await pending_at(place.client, found.stream, keeper.group, id_)
    if held is None and group.lag == 0:
        return "it has handled all; the last entry stays"
    if held is None:
        return f"it has not read what came after {id_}"
    if held.parked:
        return f"{id_} waits for its next try"
    return f"{held.consumer} holds {id_}, for {duration(held.idle_ms / 1000)}"
