"""`headrace dead export` and `import`: dead letters as lines of JSON, one letter each.

Fields that are no text stand as {"base64": ...}; order and repeated names are kept, so that what is
put back is the letter byte for byte.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import typer
from redis.asyncio import Redis

from headrace.cli.dead_choice import Choice, Letters
from headrace.cli.dead_output import known
from headrace.cli.exits import refuse
from headrace.cli.files import opened_file
from headrace.cli.output import plural
from headrace.cli.progress import Progress
from headrace.cli.redis_options import command, run
from headrace.cli.values import ms_of, value_of
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.dead_letters import Letter, get_letter, stored_fields
from headrace.streams.keys import StreamKeys

BATCH_LETTERS, BATCH_BYTES = 100, 1 << 20


@command
async def export_letters(letters: Letters, choice: Choice) -> None:
    count = 0
    async with letters.open() as (client, keys):
        with Progress("exported") as progress:
            async for page in choice.found(client, keys):
                for letter in page:
                    typer.echo(json.dumps(_line(letter)))
                count += len(page)
                progress.show(count)
    typer.echo(f"exported {plural(count, 'dead letter')} of {keys.stream}", err=True)


def _line(letter: Letter) -> dict[str, Any]:
    pairs = zip(letter.fields[::2], letter.fields[1::2], strict=True)
    return known(letter) | {"fields": [[value_of(name), value_of(value)] for name, value in pairs]}


def import_letters(letters: Letters, file: Path | None, skip: int) -> None:
    """Append the letters of a file. Those that are still in the stream are passed over."""
    with opened_file(file) as lines:
        run(_import(letters, lines, skip))


async def _import(letters: Letters, lines: BinaryIO, skip: int) -> None:
    done, added, batch, weight = skip, 0, list[Letter](), 0
    async with letters.open(new=True) as (client, keys):
        try:
            with Progress("lines done:") as progress:
                for letter in _letters(lines, skip):
                    batch.append(letter)
                    weight += sum(map(len, letter.fields))
                    if len(batch) == BATCH_LETTERS or weight >= BATCH_BYTES:
                        added += await _add(client, keys, batch)
                        done, batch, weight = done + len(batch), [], 0
                        progress.show(done)
                added += await _add(client, keys, batch)
                done += len(batch)
        except typer.Exit:
            typer.echo(f"{plural(done, 'line')} done; go on with --skip {done}", err=True)
            raise
        except REDIS_ERRORS:
            typer.echo(
                f"{plural(done, 'line')} done, and a few after that may be: look with"
                f" `headrace dead list --each`, then go on with --skip {done}",
                err=True,
            )
            raise
        finally:
            typer.echo(f"imported {plural(added, 'dead letter')} of {keys.stream}")


async def _add(client: Redis, keys: StreamKeys, batch: list[Letter]) -> int:
    """All of the batch or, where the connection breaks, perhaps none; never a part of it."""
    new = [one for one in batch if not one.id or await get_letter(client, keys, one.id) is None]
    transaction = client.pipeline(transaction=True)
    for letter in new:
        transaction.execute_command("XADD", keys.dead_letters, "*", *stored_fields(letter))
    if new:
        await transaction.execute()
    return len(new)


def _letters(lines: BinaryIO, skip: int) -> Iterator[Letter]:
    for number, line in enumerate(lines, 1):
        if number <= skip or not line.strip():
            continue
        try:
            letter = _parsed(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            refuse(f"line {number} is no letter as `headrace dead export` writes it")
        yield letter


def _parsed(line: dict[str, Any]) -> Letter:
    fields = [_bytes(part) for pair in line["fields"] for part in _pair(pair)]
    return Letter(
        id=_text(line["id"]).encode(),
        original_id=_text(line["originalId"]).encode(),
        original_stream=_text(line["originalStream"]),
        group=_text(line["group"]),
        type=_text(line["type"]),
        version=_text(line["version"]),
        error=_text(line["error"]),
        error_type=_text(line["errorType"]),
        attempts=int(line["attempts"]),
        crashes=int(line["crashes"]),
        consumer=_text(line["consumer"]),
        first_seen_ms=ms_of(line["firstSeen"]),
        dead_at_ms=ms_of(line["deadAt"]),
        fields=fields,
        replays=int(line.get("replays", 0)),
    )


def _pair(pair: Any) -> tuple[Any, Any]:
    name, value = pair
    return name, value


def _bytes(value: Any) -> bytes:
    if isinstance(value, dict):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from None
    return _text(value).encode()


def _text(value: Any) -> str:
    """Of null would become "None", and events with that id count as one."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value
