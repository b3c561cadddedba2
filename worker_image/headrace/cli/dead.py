"""`headrace dead`: read the dead letters page by page, and send back or delete those chosen."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import typer
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from headrace.cli import dead_output
from headrace.cli.options import FAILED, Output, refuse
from headrace.cli.redis_options import place_of, run
from headrace.streams.dead_letters import (
    Letter,
    get_letter,
    last_id,
    pages,
    purge,
    replay_letter,
)
from headrace.streams.keys import StreamKeys

_ID = re.compile(r"\d{1,20}(-\d{1,20})?")
SHOWN_REFUSALS = 10


@dataclass(frozen=True, slots=True)
class Letters:
    """Where the dead letters are, as told on the command line."""

    stream: str | None
    dead_letters: str | None
    url: str | None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Redis, StreamKeys]]:
        place = place_of(self.url)
        try:
            yield place.client, place.keys(self.stream, self.dead_letters)
        finally:
            await place.client.aclose()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant; every part that is given must fit."""

    ids: tuple[str, ...]
    group: str | None
    type: str | None
    error: str | None

    @classmethod
    def told(
        cls,
        ids: tuple[str, ...],
        group: str | None,
        type: str | None,
        error: str | None,
        all_: bool,
    ) -> Self:
        """The choice of a command that changes something: it must be said, and said once."""
        narrowed = bool(ids or group or type or error)
        if not narrowed and not all_:
            refuse("say which letters: ids, --group, --type, --error, or --all")
        if narrowed and all_:
            refuse("--all beside another choice: say either")
        for one in ids:
            check_id(one)
        return cls(ids, group, type, error)

    def fits(self, letter: Letter) -> bool:
        return (
            (self.group is None or letter.group == self.group)
            and (self.type is None or letter.type == self.type)
            and (self.error is None or self.error in f"{letter.error_type}: {letter.error}")
        )

    async def found(self, client: Redis, keys: StreamKeys) -> AsyncIterator[list[Letter]]:
        """The letters meant, page by page, as far as there are any now: what comes later, as a
        replayed event that fails again, is left alone."""
        if self.ids:
            for one in self.ids:
                letter = await get_letter(client, keys, one.encode())
                if letter is None:
                    refuse(f"there is no dead letter {one} in {keys.dead_letters}", FAILED)
                if self.fits(letter):
                    yield [letter]
            return
        until = await last_id(client, keys)
        if until is None:
            return
        async for page in pages(client, keys, until=until):
            yield [letter for letter in page if self.fits(letter)]


def check_id(text: str) -> None:
    if _ID.fullmatch(text) is None:
        refuse(f"{text!r} is no id of a dead letter; it looks like 1700000000000-0")


def list_letters(letters: Letters, choice: Choice, output: Output, limit: int | None) -> None:
    """`limit` None: grouped by error."""
    run(_list(letters, choice, output, limit))


async def _list(letters: Letters, choice: Choice, output: Output, limit: int | None) -> None:
    async with letters.open() as (client, keys):
        if limit is not None:
            await _list_each(choice.found(client, keys), output, limit)
            return
        summary = dead_output.Summary()
        async for page in choice.found(client, keys):
            for letter in page:
                summary.add(letter)
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
    if output is Output.JSON:
        typer.echo(json.dumps(dead_output.whole(letter)))
    else:
        dead_output.print_whole(letter)


def replay_letters(letters: Letters, choice: Choice, dry_run: bool) -> None:
    run(_replay(letters, choice, dry_run))


async def _replay(letters: Letters, choice: Choice, dry_run: bool) -> None:
    sent, refused = 0, dict[bytes, str]()
    async with letters.open() as (client, keys):
        try:
            with _progress() as progress:
                task = progress.add_task("replayed", total=None)
                async for page in choice.found(client, keys):
                    for letter in page:
                        reason = "" if dry_run else await replay_letter(client, keys, letter)
                        if reason:
                            refused[letter.id] = reason
                        sent += not reason
                        progress.update(task, completed=sent)
        finally:
            verb = "would replay" if dry_run else "replayed"
            typer.echo(f"{verb} {sent} dead letters of {keys.stream}")
    for letter_id, reason in list(refused.items())[:SHOWN_REFUSALS]:
        typer.echo(f"left {letter_id.decode()}: {reason}", err=True)
    if refused:
        refuse(f"{len(refused)} letters were left where they are", FAILED)


def purge_letters(letters: Letters, choice: Choice, *, dry_run: bool, yes: bool) -> None:
    run(_purge(letters, choice, dry_run=dry_run, yes=yes))


async def _purge(letters: Letters, choice: Choice, *, dry_run: bool, yes: bool) -> None:
    async with letters.open() as (client, keys):
        until, count = b"", 0
        async for page in choice.found(client, keys):
            count += len(page)
            until = page[-1].id if page else until
        if dry_run or not count:
            typer.echo(f"would delete {count} dead letters of {keys.stream}")
            return
        if not yes:
            _ask(f"Delete {count} dead letters of {keys.stream} for good?")
        deleted = 0
        try:
            async for page in choice.found(client, keys):
                # What came since the question was asked was not meant.
                ids = [letter.id for letter in page if _order(letter.id) <= _order(until)]
                deleted += await purge(client, keys, ids)
        finally:
            typer.echo(f"deleted {deleted} dead letters of {keys.stream}")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        refuse("deleting is for good, and nobody is there to ask; add --yes if it is meant")
    typer.confirm(question, abort=True, err=True)


def _order(letter_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = letter_id.partition(b"-")
    return int(milliseconds), int(sequence)


def _progress() -> Progress:
    columns = (TextColumn("{task.description} {task.completed}"), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
