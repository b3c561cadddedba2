"""`headrace dead list` and `show`: read the dead letters page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import typer

from headrace.cli import dead_output
from headrace.cli.dead_choice import Choice, Letters, check_id
from headrace.cli.exits import FAILED, refuse
from headrace.cli.options import Output
from headrace.cli.output import print_data
from headrace.cli.progress import Progress
from headrace.cli.redis_options import command, run
from headrace.streams.dead_letters import Letter, get_letter


@command
async def list_letters(letters: Letters, choice: Choice, output: Output, limit: int | None) -> None:
    """`limit` None: grouped by error."""
    async with letters.open() as (client, keys):
        if limit is not None:
            await _list_each(choice.found(client, keys), output, limit)
            return
        summary, read = dead_output.Summary(), 0
        with Progress("read") as progress:
            async for page in choice.found(client, keys):
                for letter in page:
                    summary.add(letter)
                read += len(page)
                progress.show(read)
    summary.print(keys.dead_letters, output)


async def _list_each(found: AsyncIterator[list[Letter]], output: Output, limit: int) -> None:
    lines = dead_output.Lines(output)
    async for page in found:
        for letter in page:
            if lines.count == limit:
                typer.echo(f"there are more; this is the limit of {limit} (--limit)", err=True)
                return
            lines.print(letter)


def show_letter(letters: Letters, id_: str, output: Output) -> None:
    check_id(id_)
    run(_show(letters, id_, output))


async def _show(letters: Letters, id_: str, output: Output) -> None:
    async with letters.open() as (client, keys):
        letter = await get_letter(client, keys, id_.encode())
    if letter is None:
        refuse(f"there is no dead letter {id_} in {keys.dead_letters}", FAILED)
    if output is not Output.TABLE:
        print_data(dead_output.whole(letter), output)
    else:
        dead_output.print_whole(letter)
