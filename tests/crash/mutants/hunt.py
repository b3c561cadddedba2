"""Runs a mutant until the checker catches it, and looks at the reason.

What caught it must not catch the unbroken package in the same run: that would prove nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from tests.crash.mutants.mutant import Mutant, write
from tests.crash.results import Result
from tests.crash.world import play
from tests.support.broken_package import Hunted, Verdict

TRIES = 4
"""Seeds that a mutant may survive: its fault has to meet the right moment."""
DEATHS = ("exits", "defects")
"""Bounds that a worker breaks by ending, or by a traceback in its log."""


def hunt(mutant: Mutant) -> Hunted:
    """Run the mutant, seed after seed, until a bound that it names is broken."""
    for seed in range(mutant.run.seed, mutant.run.seed + TRIES):
        run = replace(mutant.run, seed=seed)
        with tempfile.TemporaryDirectory(prefix="headrace-mutant-") as directory:
            write(mutant, Path(directory))
            hunted = judge(mutant, play(run, package=Path(directory)))
        if hunted.verdict is Verdict.CAUGHT:
            hunted = confirm(hunted, play(run))
        if hunted.verdict is not Verdict.ESCAPED:
            return replace(hunted, why=f"seed {seed}, {hunted.why}")
    return Hunted(Verdict.ESCAPED)


def judge(mutant: Mutant, result: Result) -> Hunted:
    """What one run says of a mutant. Pure."""
    for bound in DEATHS:
        for example in result.violations.get(bound, ()):
            # How a worker ended tells no reason; its log does.
            as_named = bound == "exits" or mutant.dies_of in example
            if not (mutant.dies_of and as_named):
                return Hunted(Verdict.BROKEN, bound, example)
    for bound in sorted(result.violations.keys() & mutant.bounds):
        return Hunted(Verdict.CAUGHT, bound, result.violations[bound][0])
    return Hunted(Verdict.ESCAPED)


def confirm(caught: Hunted, unbroken: Result) -> Hunted:
    """What the same run of the unbroken package says of it. Pure."""
    if caught.oracle not in unbroken.violations:
        return caught
    example = unbroken.violations[caught.oracle][0]
    return Hunted(Verdict.BROKEN, caught.oracle, f"the unbroken package, too: {example}")
