"""Runs a mutant until the checker catches it, and looks at the reason."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tests.crash.mutants.mutant import Mutant, write
from tests.crash.results import Result
from tests.crash.world import play

TRIES = 4
"""Seeds that a mutant may survive: its fault has to meet the right moment."""
DEATHS = ("exits", "defects")
"""Bounds that a worker breaks by ending, or by a traceback in its log."""


class Verdict(StrEnum):
    CAUGHT = "caught"
    ESCAPED = "escaped"
    BROKEN = "broken"
    """A worker died of something else than the mutant's name says: nothing is proven."""


@dataclass(frozen=True)
class Hunted:
    """How a hunt ended, and the bound and example that say so."""

    verdict: Verdict
    why: str = ""


def hunt(mutant: Mutant) -> Hunted:
    """Run the mutant, seed after seed, until a bound that it names is broken."""
    for seed in range(mutant.run.seed, mutant.run.seed + TRIES):
        with tempfile.TemporaryDirectory(prefix="headrace-mutant-") as directory:
            write(mutant, Path(directory))
            result = play(replace(mutant.run, seed=seed), package=Path(directory))
        if (hunted := judge(mutant, result)).verdict is not Verdict.ESCAPED:
            return replace(hunted, why=f"seed {seed}, {hunted.why}")
    return Hunted(Verdict.ESCAPED)


def judge(mutant: Mutant, result: Result) -> Hunted:
    """What one run says of a mutant. Pure."""
    for bound in DEATHS:
        for example in result.violations.get(bound, ()):
            # How a worker ended tells no reason; its log does.
            as_named = bound == "exits" or mutant.dies_of in example
            if not (mutant.dies_of and as_named):
                return Hunted(Verdict.BROKEN, f"{bound}: {example}")
    for bound in sorted(result.violations.keys() & mutant.bounds):
        return Hunted(Verdict.CAUGHT, f"{bound}: {result.violations[bound][0]}")
    return Hunted(Verdict.ESCAPED)
