"""`headrace release`: free a consumer group whose pipeline is gone."""

from __future__ import annotations

import sys

import typer

from headrace.cli.exits import FAILED, refuse
from headrace.cli.peek import check_exists
from headrace.cli.questions import confirmed
from headrace.cli.redis_options import command, opened
from headrace.cli.terminal import is_terminal
from headrace.streams import groups


@command
async def run_release(stream: str, group: str, yes: bool, url: str | None) -> None:
    async with opened(url) as place:
        keys, client = place.keys(stream, None).for_group(group), place.client
        holder = await groups.holder_of(client, keys)
        if holder is None:
            await check_exists(place, stream)
            if group not in await groups.group_names(client, stream):
                refuse(f"stream {stream} has no group {group}", FAILED)
            typer.echo(f"nobody has claimed group {group} of stream {stream}")
            return
        where = f" of the cluster {holder.cluster}" if holder.cluster else ""
        typer.echo(f"group {group} of stream {stream} belongs to pipeline {holder.owner}{where}")
        if not yes and not confirmed("Is that pipeline gone, and may another have the group?"):
            unasked = "" if is_terminal(sys.stdin) else "; add --yes where nobody is there to ask"
            refuse(f"nothing was changed{unasked}")
        if not await groups.release(client, keys, holder.owner):
            refuse("somebody else has claimed it meanwhile; look again", FAILED)
    typer.echo(f"group {group} of stream {stream} is free")
