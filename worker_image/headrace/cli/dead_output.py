"""Dead letters as people and programs read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import typer

from headrace.cli.options import Output
from headrace.cli.output import cut, plural, print_data, print_table, printable, screen_width
from headrace.cli.values import text_of, time_of, value_of
from headrace.streams.dead_letters import Letter

SHOWN_ERROR = 100
# More kinds of errors than this are counted together: their text holds an id or a value.
MAX_KINDS = 1_000
OTHERS = "(others)"

Key = tuple[str, str, str, str]
"""Group, type and version, error class, the error's beginning."""


@dataclass(slots=True)
class Kind:
    count: int
    oldest: bytes
    newest: bytes


class Summary:
    """Letters counted by group, type and error. Its size is bounded, whatever they say."""

    def __init__(self) -> None:
        self.kinds: dict[Key, Kind] = {}

    def add(self, letter: Letter) -> None:
        key = (letter.group, _type(letter), letter.error_type, _line(letter.error))
        if key not in self.kinds and len(self.kinds) >= MAX_KINDS:
            key = (letter.group, OTHERS, OTHERS, OTHERS)
        kind = self.kinds.get(key)
        if kind is None:
            self.kinds[key] = Kind(1, letter.id, letter.id)
        else:
            kind.count, kind.newest = kind.count + 1, letter.id

    def print(self, dead_letters: str, output: Output) -> None:
        rows = sorted(self.kinds.items(), key=lambda row: -row[1].count)
        if output is not Output.TABLE:
            print_data([_row(key, kind) for key, kind in rows], output)
            return
        total = sum(kind.count for _, kind in rows)
        typer.echo(f"{dead_letters}: {plural(total, 'dead letter')}")
        lines = []
        for (group, type_, error_type, error), kind in rows:
            what = error if error_type == OTHERS else f"{error_type}: {error}"
            lines.append((f"{kind.count:,}", group, type_, kind.newest.decode(), what))
        if lines:
            print_table(("COUNT", "GROUP", "TYPE", "NEWEST", "ERROR"), lines, right="COUNT")


class Lines:
    """One line for each letter: columns for people, an object for programs."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.count = 0

    def print(self, letter: Letter) -> None:
        if self._output is not Output.TABLE:
            print_data(
                [known(letter)] if self._output is Output.YAML else known(letter), self._output
            )
        else:
            if not self.count:
                typer.echo(f"{'ID':<17} {'GROUP':<10} {'TYPE':<16} {'TRIES':>5}  ERROR")
            known_as = f"{printable(letter.group):<10} {printable(_type(letter)):<16}"
            error = f"{printable(letter.error_type)}: {_line(letter.error)}"
            line = f"{letter.id.decode():<17} {known_as} {letter.attempts:>5}  {error}"
            typer.echo(cut(line, screen_width()))
        self.count += 1


def whole(letter: Letter) -> dict[str, Any]:
    """All of a letter, for programs; bytes that are no text as {"base64": ...}."""
    fields = zip(letter.fields[::2], letter.fields[1::2], strict=True)
    return known(letter) | {"fields": {text_of(name): value_of(value) for name, value in fields}}


def print_whole(letter: Letter) -> None:
    for name, value in known(letter).items():
        typer.echo(f"{name:<16} {printable(str(value))}")
    for field, content in zip(letter.fields[::2], letter.fields[1::2], strict=True):
        typer.echo(f"\n{printable(text_of(field))}:\n{_readable(content)}")


def known(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id.decode(),
        "originalId": letter.original_id.decode("utf-8", "replace"),
        "originalStream": letter.original_stream,
        "group": letter.group,
        "type": letter.type,
        "version": letter.version,
        "errorType": letter.error_type,
        "error": letter.error,
        "attempts": letter.attempts,
        "crashes": letter.crashes,
        "replays": letter.replays,
        "consumer": letter.consumer,
        "firstSeen": time_of(letter.first_seen_ms),
        "deadAt": time_of(letter.dead_at_ms),
    }


def _row(key: Key, kind: Kind) -> dict[str, Any]:
    group, type_, error_type, error = key
    return {
        "count": kind.count,
        "group": group,
        "type": type_,
        "errorType": error_type,
        "error": error,
        "oldestId": kind.oldest.decode(),
        "newestId": kind.newest.decode(),
    }


def _type(letter: Letter) -> str:
    return f"{letter.type}/{letter.version}" if letter.type else "(none)"


def _line(error: str) -> str:
    """An error's first line, cut."""
    first = printable(error.splitlines()[0] if error else "")
    return first if len(first) <= SHOWN_ERROR else f"{first[: SHOWN_ERROR - 1]}…"


def _readable(value: bytes) -> str:
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "\n".join(printable(line) for line in text_of(value).split("\n"))
