"""A package broken on purpose, for tests that must see the fault.

An edit names the text that it replaces; when the code no longer holds that text, writing fails,
and the edit has to be written anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """Replace `old`, which occurs once in `file` of the package, by `new`."""

    file: str
    old: str
    new: str


class Verdict(StrEnum):
    CAUGHT = "caught"
    ESCAPED = "escaped"
    BROKEN = "broken"
    """It failed of something else than its fault: nothing is proven."""


@dataclass(frozen=True)
class Hunted:
    """How the hunt for a broken package ended, what caught it, and the example that says so."""

    verdict: Verdict
    oracle: str = ""
    why: str = ""

    def __str__(self) -> str:
        said = ": ".join(filter(None, (self.oracle, self.why)))
        return f"{self.verdict.upper()} {said}".rstrip()


def write_broken(package: Path, edits: Iterable[Edit], directory: Path) -> None:
    """Copy `package` into `directory`, by its own name, and break it. Raises ValueError when the
    code reads otherwise by now."""
    copy = directory / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        path = copy / edit.file
        text = path.read_text("utf-8")
        if (found := text.count(edit.old)) != 1:
            raise ValueError(f"{edit.file} holds {found} times {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new), "utf-8")
