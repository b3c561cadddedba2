"""What a mutant is, how it is written down, and whether it is still a program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import headrace
import headrace_api
from tests.crash.run import Run
from tests.support.broken_package import Edit, write_broken

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Mutant:
    """What is broken, in which run it shows, and which bounds it may break."""

    name: str
    run: Run
    bounds: frozenset[str]
    edits: Sequence[Edit]
    dies_of: str = ""
    """What a worker's log says when the mutant kills it as intended. Any other death or traceback
    means that the mutant itself is broken, and proves nothing."""

    def __str__(self) -> str:
        return self.name


def mutant(
    name: str, run: Run, bounds: str, *edits: tuple[str, str, str], dies_of: str = ""
) -> Mutant:
    """`bounds`: names with spaces between."""
    return Mutant(name, run, frozenset(bounds.split()), [Edit(*edit) for edit in edits], dies_of)


def short(scenario: str, *, events: int = 1_000, pause: float = 0.4, slow: float = 0.03) -> Run:
    return Run(1, scenario, events=events, rate=250, fault_pause=pause, slow=slow, drain_seconds=25)


def write(mutant: Mutant, directory: Path) -> None:
    """Copy the package and break it. Raises ValueError when the code reads otherwise by now."""
    write_broken(Path(headrace.__file__).parent, mutant.edits, directory)


def type_errors(directory: Path, cache: Path) -> str:
    """What mypy says of the package in `directory`; empty when nothing. Quick with a warm `cache`
    and a directory of the same name."""
    contract = Path(headrace_api.__file__).parents[1]
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml"),
            *("--cache-dir", cache, "--no-error-summary", "-p", "headrace"),
        ],
        cwd=directory,
        env={**os.environ, "MYPYPATH": f"{directory}:{contract}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout + answer.stderr if answer.returncode else ""
