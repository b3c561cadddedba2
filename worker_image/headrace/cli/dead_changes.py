"""`headrace dead replay` and `purge`: send dead letters back, or delete them for good."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pydantic_core
import typer

from headrace.cli.dead_choice import Choice, Letters, order
from headrace.cli.exits import FAILED, refuse
from headrace.cli.files import opened_file
from headrace.cli.output import plural
from headrace.cli.progress import Progress
from headrace.cli.questions import ask
from headrace.cli.redis_options import run
from headrace.streams import refusals
from headrace.streams.dead_letters import Letter, purge
from headrace.streams.replay import replay

SHOWN_REFUSALS = 10
RATED_BATCHES_A_SECOND = 10


def replay_letters(
    letters: Letters, choice: Choice, *, rate: int | None, payload: Path | None, dry_run: bool
) -> None:
    """`rate`: letters a second at most. `payload`: a file whose text replaces the one's payload."""
    choice.check_said()
    new_payload = None
    if payload is not None:
        if len(choice.ids) != 1:
            refuse("--payload is for one letter: give its id")
        new_payload = _payload(payload)
    run(_replay(letters, choice, rate, new_payload, dry_run))


async def _replay(
    letters: Letters, choice: Choice, rate: int | None, payload: bytes | None, dry_run: bool
) -> None:
    sent, refused = 0, dict[bytes, str]()
    size = max(1, rate // RATED_BATCHES_A_SECOND) if rate else sys.maxsize
    began = monotonic()
    async with letters.open() as (client, keys):
        try:
            with Progress("replayed") as progress:
                async for page in choice.found(client, keys):
                    for start in range(0, len(page), size):
                        batch = page[start : start + size]
                        if payload is not None:
                            batch = [_edited(one, payload) for one in batch]
                        left = {} if dry_run else await replay(client, keys, batch)
                        refused |= left
                        sent += len(batch) - len(left)
                        progress.show(sent)
                        if rate and not dry_run:
                            await asyncio.sleep(max(0.0, began + sent / rate - monotonic()))
        finally:
            verb = "would replay" if dry_run else "replayed"
            typer.echo(f"{verb} {plural(sent, 'dead letter')} of {keys.stream}")
    for letter_id, reason in list(refused.items())[:SHOWN_REFUSALS]:
        typer.echo(f"left {letter_id.decode()}: {refusals.advised(reason)}", err=True)
    if refused:
        left_there = "1 letter was left where it is"
        if len(refused) > 1:
            left_there = f"{len(refused):,} letters were left where they are"
        refuse(left_there, FAILED)


def _payload(path: Path) -> bytes:
    with opened_file(None if str(path) == "-" else path) as file:
        text = file.read().strip()
    try:
        pydantic_core.from_json(text)
    except ValueError:
        refuse(f"{path} is no JSON")
    return text


def _edited(letter: Letter, payload: bytes) -> Letter:
    fields = list(letter.fields)
    if b"payload" in fields[::2]:
        fields[2 * fields[::2].index(b"payload") + 1] = payload
    else:
        fields += (b"payload", payload)
    return replace(letter, fields=fields)


def purge_letters(letters: Letters, choice: Choice, *, dry_run: bool, yes: bool) -> None:
    choice.check_said()
    run(_purge(letters, choice, dry_run=dry_run, yes=yes))


async def _purge(letters: Letters, choice: Choice, *, dry_run: bool, yes: bool) -> None:
    async with letters.open() as (client, keys):
        until, count = b"", 0
        with Progress("counted") as progress:
            async for page in choice.found(client, keys):
                count += len(page)
                until = page[-1].id if page else until
                progress.show(count)
        if dry_run or not count:
            typer.echo(f"would delete {plural(count, 'dead letter')} of {keys.stream}")
            return
        if not yes:
            question = f"Delete {plural(count, 'dead letter')} of {keys.stream} for good?"
            ask(question, what="deleting")
        deleted = 0
        try:
            with Progress("deleted", count) as progress:
                async for page in choice.found(client, keys):
                    # What came since the question was asked was not meant.
                    ids = [letter.id for letter in page if order(letter.id) <= order(until)]
                    deleted += await purge(client, keys, ids)
                    progress.show(deleted)
        finally:
            typer.echo(f"deleted {plural(deleted, 'dead letter')} of {keys.stream}")
