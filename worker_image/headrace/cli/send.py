"""`headrace send`: events from JSON lines into a stream."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pydantic_core
import typer

from headrace.cli.exits import FAILED, refuse
from headrace.cli.files import opened_file
from headrace.cli.output import plural
from headrace.cli.progress import Progress
from headrace.cli.redis_options import opened, run
from headrace.event import Event
from headrace.producer import NotSent, Producer
from headrace.streams import refusals
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.keys import StreamKeys

BATCH = 1000


def run_send(
    stream: str, type_: str, version: int, file: Path | None, id_field: str | None, url: str | None
) -> None:
    if not type_.strip():
        refuse("--type is empty; give the events' type, for example flight.landed")
    with opened_file(file) as lines:
        # A pipe can be read once.
        total = _count_lines(lines) if file is not None and file.is_file() else None
        run(_send(stream, type_, version, lines, total, id_field, url))


async def _send(
    stream: str,
    type_: str,
    version: int,
    lines: BinaryIO,
    total: int | None,
    id_field: str | None,
    url: str | None,
) -> None:
    StreamKeys(stream)  # refuse what can be no stream before Redis is asked
    sent = 0
    async with opened(url) as place:
        if lines.isatty():
            # While a line is waited for, the event loop's own handler would only take note.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            typer.echo("one payload of JSON a line; Ctrl-D ends", err=True)
        producer = Producer(place.client, stream, batch_size=BATCH)
        try:
            with Progress("sent", total) as progress:
                chunk: list[Event] = []
                for number, payload in _payloads(lines):
                    chunk.append(Event(type_, payload, version, id=_id(payload, id_field, number)))
                    if len(chunk) == BATCH:
                        sent += len(await producer.send_many(chunk))
                        chunk = []
                        progress.show(sent)
                sent += len(await producer.send_many(chunk))
        except NotSent as error:
            sent += len(error.sent)
            if "WRONGTYPE" in error.reason:
                refuse(f"key {stream!r} is not a stream; rename it, or name another", FAILED)
            causes = (one for one in refusals.causes(error) if isinstance(one, REDIS_ERRORS))
            cause = next(causes, None)
            reason = place.advice(cause) if cause is not None else error.reason
            unsure = plural(error.unsure, "event")
            may_be = f"; {unsure} after those sent may be in the stream" if error.unsure else ""
            refuse(reason + may_be, FAILED)
        finally:
            typer.echo(f"sent {plural(sent, 'event')} to {stream}")
            await producer.close()


def _payloads(lines: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        payload = line.strip()
        if not payload:
            continue
        try:
            pydantic_core.from_json(payload)
        except ValueError:
            refuse(f"line {number} is no JSON")
        yield number, payload


def _id(payload: bytes, id_field: str | None, number: int) -> str | None:
    if id_field is None:
        return None
    value = json.loads(payload)
    value = value.get(id_field) if isinstance(value, dict) else None
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        refuse(
            f"line {number} has no text or whole number in its field {id_field!r} to use as id;"
            " events of one id count as one"
        )
    return str(value)


def _count_lines(lines: BinaryIO) -> int:
    count = sum(1 for line in lines if line.strip())
    lines.seek(0)
    return count
