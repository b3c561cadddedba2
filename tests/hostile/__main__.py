"""Seeded stories of a hostile user, side by side under one operator.

python -m tests.hostile --seeds 500 --jobs 12
python -m tests.hostile --seed 17                   # one again, or a few: 17,22
python -m tests.hostile --seed 17 --only 2,5        # with these of its acts alone
python -m tests.hostile --seeds 6 --acts evict_pod,remove_group
python -m tests.hostile --mutants                   # operators broken on purpose
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.hostile.actions import WEIGHTS
from tests.hostile.mutants import MUTANTS, Mutant, hunt
from tests.hostile.play import Player, Result, play_all
from tests.hostile.shrink import shrink
from tests.hostile.stage import Stage, stage
from tests.hostile.story import Step, Story, write
from tests.support import control_plane
from tests.support.broken_package import Verdict

MADE_SMALL, TRIES = 5, 20
"""So many of the seeds that fail are made small, each with so many tries."""


def smallest(on: Stage, story: Story, broken: set[str]) -> Story:
    """The fewest acts of it that still break one of the same oracles."""

    def fails(steps: Sequence[Step]) -> bool:
        found = Player(on, story.only(steps)).play()
        print(f"  {' '.join(map(str, steps)) or 'no act'}: {found.broken or 'ok'}", flush=True)
        return bool(found.broken & broken)

    return story.only(shrink(story.steps, fails, tries=TRIES))


def main() -> int:
    arguments = _arguments()
    if arguments.mutants is not None:
        return hunt_all([one for one in MUTANTS if arguments.mutants in one.name])
    seeds = arguments.seed or range(arguments.first, arguments.first + arguments.seeds)
    names = arguments.acts.split(",") if arguments.acts else list(WEIGHTS)
    weights = {name: WEIGHTS[name] for name in names}
    stories = (write(seed, weights) for seed in seeds)
    if arguments.only is not None:
        only = arguments.only
        stories = (one.only([s for s in one.steps if s.number in only]) for one in stories)
    results: list[Result] = []
    began = time.monotonic()
    with contextlib.ExitStack() as end:
        plane = end.enter_context(control_plane.running())
        directory = arguments.keep or Path(end.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(parents=True, exist_ok=True)
        on = end.enter_context(stage(plane.kubeconfig, directory, arguments.package))
        late = began + arguments.seconds
        for result in play_all(on, stories, arguments.jobs, lambda: time.monotonic() > late):
            results.append(result)
            print(result, flush=True)
        if arguments.shrink:
            for result in [one for one in results if one.violations][:MADE_SMALL]:
                small = smallest(on, result.story, result.broken)
                acts = f" --acts {arguments.acts}" if arguments.acts else ""
                print(f"smallest: {small}\n  {small.command}{acts}")
    return summary(results, len(seeds), time.monotonic() - began)


def hunt_all(mutants: Sequence[Mutant]) -> int:
    """Let each run until it is caught; 1 when one is not."""
    verdicts = Counter[Verdict]()
    with control_plane.running() as plane:
        for mutant in mutants:
            hunted = hunt(mutant, plane.kubeconfig)
            verdicts[hunted.verdict] += 1
            print(f"{mutant.name:62s} {hunted}", flush=True)
    print(f"mutants={len(mutants)}", *(f"{verdict}={verdicts[verdict]}" for verdict in Verdict))
    return 0 if verdicts[Verdict.CAUGHT] == len(mutants) else 1


def summary(results: list[Result], planned: int, seconds: float) -> int:
    """Figures as name=value; 1 when an oracle is broken or a seed is missing."""
    failed = [one for one in results if one.violations or one.harness]
    for oracle in sorted({oracle for one in results for oracle in one.broken}):
        seeds = [str(one.story.seed) for one in results if oracle in one.broken]
        print(f"broken: {oracle}: seeds {', '.join(seeds)}")
    settled = [one.settled_after for one in results if not one.violations] or [0.0]
    bursts = sorted(one for result in results for one in result.bursts) or [0.0]
    print(
        f"seeds={len(results)} of={planned} acts={sum(len(one.story.steps) for one in results)}"
        f" failed={len(failed)} harness={sum(bool(one.harness) for one in results)}"
        f" settled_median_s={statistics.median(settled):.1f} settled_max_s={max(settled):.1f}"
        f" burst_median_s={statistics.median(bursts):.2f}"
        f" burst_p95_s={bursts[int(len(bursts) * 0.95)]:.2f} burst_max_s={bursts[-1]:.2f}"
        f" seconds={seconds:.0f}"
    )
    return 1 if failed or len(results) < planned else 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number.isdigit()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=1, help="so many")
    parser.add_argument("--first", type=int, default=1, help="seed of the first")
    parser.add_argument("--seed", type=_numbers, help="this one alone, or a few: 2,22")
    parser.add_argument("--acts", help="tell stories of these acts alone, such as flush,replace")
    parser.add_argument("--only", type=_numbers, help="numbers of the acts to keep, such as 2,5")
    parser.add_argument("--jobs", type=int, default=12, help="seeds side by side")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin none after so many")
    parser.add_argument("--shrink", action="store_true", help="make what fails small")
    parser.add_argument(
        "--mutants",
        nargs="?",
        const="",
        metavar="WORDS",
        help="prove the oracles instead, by all mutants or those with WORDS in their name",
    )
    parser.add_argument("--keep", type=Path, help="directory for the operator's log")
    parser.add_argument("--package", type=Path, help="directory of another headrace_operator")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
