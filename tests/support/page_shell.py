"""Runs the commands of a page as a reader would: in a shell, in order, beside its files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.waiting import WAIT_SECONDS
from tests.unit.docs.pages import ROOT, Block, blocks

# What a page calls by name and a reader has in the checkout.
CHECKOUT = ("charts", "crds", "examples", "tests")
_FILE = re.compile(r"\A# (\S+\.(?:ya?ml|py))\n")
_LINES = re.compile(r"\\\n\s*")


def commands(block: Block) -> Iterator[str]:
    """Each command line of a block; of a block with prompts, what stands behind them."""
    lines = [line.strip() for line in _LINES.sub(" ", block.text).splitlines()]
    if any(line.startswith("$ ") for line in lines):
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    yield from (line for line in lines if line and not line.startswith("#"))


class PageShell:
    """A directory of the reader's, with the files that the page shows under their names.

    `replace`: what stands on the page and is another here, such as an address.
    """

    def __init__(self, page: Path, directory: Path, replace: Mapping[str, str]) -> None:
        self.directory = directory
        self._replace = replace
        self._exports: list[str] = []
        for name in CHECKOUT:
            (directory / name).symlink_to(ROOT / name)
        (directory / ".venv").symlink_to(Path(sys.executable).parents[1])
        for block in blocks(page, "yaml", "python"):
            if found := _FILE.match(block.text):
                (directory / found[1]).write_text(block.text)

    def run(self, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Raises AssertionError with what it said where it fails."""
        if line.startswith("export "):
            self._exports.append(line)
        for written, here in self._replace.items():
            line = line.replace(written, here)
        path = f"{self.directory / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join([*self._exported(), line])],
            cwd=self.directory,
            env={**os.environ, "PATH": path, "COLUMNS": "200", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=4 * WAIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done

    def _exported(self) -> list[str]:
        lines = self._exports
        for written, here in self._replace.items():
            lines = [line.replace(written, here) for line in lines]
        return lines

    def install(self, name: str, program: Path | str) -> None:
        """Puts a program on the reader's PATH."""
        folder = self.directory / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).symlink_to(program)
