"""What commands print: aligned columns for people, JSON or YAML for programs. Never colours."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from headrace.cli.options import Output
from headrace.cli.terminal import is_terminal

GAP = "  "
CLEAR_SCREEN = "\x1b[H\x1b[J"


def print_data(data: Any, output: Output) -> None:
    """One document, as JSON on one line or as YAML."""
    if output is Output.YAML:
        import yaml

        typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
    else:
        typer.echo(json.dumps(data))


def print_table(names: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> None:
    """Columns under their names; those in `right` (separated by spaces) are numbers.

    On a terminal the last column is cut to fit. In a pipe nothing is cut.
    """
    for line in table(names, rows, right=right, width=screen_width()):
        typer.echo(line)


def table(
    names: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "", width: int | None
) -> Iterator[str]:
    """The lines of a table, not wider than `width` where its last column can be cut."""
    cells = [[printable(cell) for cell in row] for row in (names, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(names))]
    numbers = {index for index, name in enumerate(names) if name in right.split()}
    for row in cells:
        padded = [
            cell.rjust(widths[index]) if index in numbers else cell.ljust(widths[index])
            for index, cell in enumerate(row)
        ]
        yield cut(GAP.join(padded).rstrip(), width)


def cut(line: str, width: int | None) -> str:
    if width is None or len(line) <= width:
        return line
    return f"{line[: width - 1]}…"


def printable(text: str) -> str:
    """Without what would move a terminal's cursor or change its colours."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def plural(count: int, noun: str) -> str:
    """`1 event`, `2,500 events`, `3 entries`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """`0.4s`, `37s`, `12m`, `5h`, `3d`: short enough for a column."""
    if seconds < 1:
        return f"{seconds:.1f}s"
    for unit, size, limit in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172800)):
        if seconds < limit:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds / 86400:.0f}d"


def size(count: float) -> str:
    """`312 B`, `4.2 MiB`, `1.3 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def screen_width() -> int | None:
    """Columns of the terminal; None in a pipe."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
