"""Entries of a stream as people and programs read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import typer

from headrace.cli.decoding import Deserializers, decoded
from headrace.cli.options import Output
from headrace.cli.output import cut, print_data, printable, screen_width
from headrace.cli.values import text_of, time_of, value_of
from headrace.event import PAYLOAD, TYPE, VERSION, field_map
from headrace.streams.entry_pages import Entry
from headrace.streams.ids import is_clock, parse_id


class EntryLines:
    """One line for each entry: columns for people, an object for programs."""

    def __init__(self, output: Output, deserializers: Deserializers) -> None:
        self._output = output
        self._deserializers = deserializers
        self.count = 0

    def print(self, entry: Entry) -> None:
        if self._output is not Output.TABLE:
            data = plain(entry, self._deserializers)
            print_data([data] if self._output is Output.YAML else data, self._output)
        else:
            if not self.count:
                typer.echo(f"{'ID':<17} {'TYPE':<18} PAYLOAD")
            typer.echo(cut(_line(entry, self._deserializers), screen_width()))
        self.count += 1


def is_of_type(entry: Entry, type_: str | None) -> bool:
    return type_ is None or field_map(entry[1]).get(TYPE) == type_.encode()


def plain(entry: Entry, deserializers: Deserializers) -> dict[str, Any]:
    """All of an entry; a payload of JSON decoded, bytes that are no text as {"base64": ...}."""
    id_, flat = entry
    fields = field_map(flat)
    document: dict[str, Any] = {"id": id_.decode(), "time": _time(id_)}
    for name in (TYPE, VERSION):
        document[name.decode()] = text_of(fields.pop(name)) if name in fields else None
    if PAYLOAD in fields:
        document["payload"] = decoded(fields.pop(PAYLOAD), document["type"] or "", deserializers)
    document["fields"] = {text_of(name): value_of(value) for name, value in fields.items()}
    return document


def _line(entry: Entry, deserializers: Deserializers) -> str:
    id_, flat = entry
    fields = field_map(flat)
    type_, version = fields.get(TYPE), fields.get(VERSION)
    known_as = "-"
    if type_ is not None:
        known_as = text_of(type_) + (f"/{text_of(version)}" if version is not None else "")
    if PAYLOAD in fields:
        payload = fields[PAYLOAD]
        content = _on_one_line(payload, decoded(payload, text_of(type_ or b""), deserializers))
    else:
        rest = [(name, value) for name, value in fields.items() if name not in (TYPE, VERSION)]
        content = " ".join(
            f"{text_of(name)}={_on_one_line(value, decoded(value))}" for name, value in rest
        )
    return f"{id_.decode():<17} {printable(known_as):<18} {content}"


def _on_one_line(raw: bytes, value: Any) -> str:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return f"({len(raw):,} bytes that are no text)"
    return printable(json.dumps(value, ensure_ascii=False))


def _time(id_: bytes) -> str | None:
    """When the entry was added, where its id says so."""
    stream_id = parse_id(id_)
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    return time_of(stream_id[0]) if is_clock(stream_id, now_ms) else None
