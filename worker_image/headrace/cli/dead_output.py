"""Dead letters as people and programs read them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headrace.cli.options import Output
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
        if output is Output.JSON:
            typer.echo(json.dumps([_row(key, kind) for key, kind in rows]))
            return
        total = sum(kind.count for _, kind in rows)
        typer.echo(f"{dead_letters}: {total:,} dead letters")
        if not rows:
            return
        table = Table()
        for name in ("COUNT", "GROUP", "TYPE", "ERROR", "NEWEST"):
            table.add_column(
                name, justify="right" if name == "COUNT" else "left", no_wrap=name == "NEWEST"
            )
        for (group, type_, error_type, error), kind in rows:
            what = error if error_type == OTHERS else f"{error_type}: {error}"
            table.add_row(
                f"{kind.count:,}", Text(group), Text(type_), Text(what), kind.newest.decode()
            )
        Console().print(table)


class Lines:
    """One line for each letter: columns for people, an object for programs."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.count = 0

    def print(self, letter: Letter) -> None:
        if self._output is Output.JSON:
            typer.echo(json.dumps(_known(letter)))
        else:
            if not self.count:
                typer.echo(f"{'ID':<21} {'GROUP':<16} {'TYPE':<24} {'TRIES':>5} ERROR")
            typer.echo(
                f"{letter.id.decode():<21} {_safe(letter.group):<16} {_safe(_type(letter)):<24}"
                f" {letter.attempts:>5} {_safe(letter.error_type)}: {_line(letter.error)}"
            )
        self.count += 1


def whole(letter: Letter) -> dict[str, Any]:
    """All of a letter, for programs; bytes that are no text as {"base64": ...}."""
    fields = zip(letter.fields[::2], letter.fields[1::2], strict=True)
    return _known(letter) | {"fields": {_text(name): _value(value) for name, value in fields}}


def print_whole(letter: Letter) -> None:
    for name, value in _known(letter).items():
        typer.echo(f"{name:<16} {_safe(str(value))}")
    for field, content in zip(letter.fields[::2], letter.fields[1::2], strict=True):
        typer.echo(f"\n{_safe(_text(field))}:\n{_readable(content)}")


def _known(letter: Letter) -> dict[str, Any]:
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
        "consumer": letter.consumer,
        "firstSeen": _time(letter.first_seen_ms),
        "deadAt": _time(letter.dead_at_ms),
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
    first = _safe(error.splitlines()[0] if error else "")
    return first if len(first) <= SHOWN_ERROR else f"{first[: SHOWN_ERROR - 1]}…"


def _safe(text: str) -> str:
    """Without what would move a terminal's cursor or change its colours."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _time(ms: int) -> str | None:
    if not ms:
        return None
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _value(value: bytes) -> object:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _readable(value: bytes) -> str:
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "\n".join(_safe(line) for line in _text(value).split("\n"))
