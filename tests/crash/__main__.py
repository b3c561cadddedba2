"""Many seeded runs, a table, and a non-zero exit when any bound is broken.

python -m tests.crash --runs 210 --events 5000
python -m tests.crash --scenario network --kind valkey --seed 17        # one run again
python -m tests.crash --runs 210 --results runs.jsonl --seconds 400     # in pieces; call again
python -m tests.crash --topology sentinel --runs 21
python -m tests.crash --mutants
python -m tests.crash --mutant "no lease"                               # one of them
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from tests.crash.mutants import MUTANTS
from tests.crash.mutants.hunt import hunt
from tests.crash.results import Result, Results
from tests.crash.run import Run
from tests.crash.scenarios import SCENARIOS
from tests.crash.topology import Topology
from tests.crash.world import play
from tests.support.broken_package import Verdict
from tests.support.redis_servers import KINDS


def plan(first: int, count: int, events: int, scenario: str | None, kind: str | None) -> list[Run]:
    """Scenarios in turn, and for each round of them the next kind of server."""
    scenarios = [scenario] if scenario else list(SCENARIOS)
    kinds = [kind] if kind else list(KINDS)
    return [
        Run(
            seed,
            scenarios[seed % len(scenarios)],
            kinds[seed // len(scenarios) % len(kinds)],
            events,
        )
        for seed in range(first, first + count)
    ]


def play_all(
    runs: list[Run], jobs: int, seconds: float, *, package: Path | None, keep: bool
) -> Iterator[Result]:
    """Results as they come; nothing new is begun after so many seconds. Runs that mostly wait go
    beside the `jobs`, one at a time."""
    began = time.monotonic()
    busy = (run for run in runs if not run.of.waits)
    waiting = (run for run in runs if run.of.waits)
    under_way: dict[Future[Result], Iterator[Run]] = {}
    with ThreadPoolExecutor(jobs + 1) as pool:

        def begin(lane: Iterator[Run]) -> None:
            run = next(lane, None) if time.monotonic() - began < seconds else None
            if run:
                under_way[pool.submit(play, run, package=package, keep=keep)] = lane

        for lane in (*[busy] * jobs, waiting):
            begin(lane)
        while under_way:
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for one in done:
                begin(under_way.pop(one))
                yield one.result()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--scenario", choices=list(SCENARIOS), help="default: all in turn")
    parser.add_argument("--kind", choices=list(KINDS), help="of server; default: all in turn")
    parser.add_argument("--topology", choices=list(Topology), default=Topology.STANDALONE)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no run after so many")
    parser.add_argument("--results", type=Path, help="add to this file, and leave out what it has")
    parser.add_argument("--drain", type=float, default=180.0, help="seconds, for what is left")
    parser.add_argument("--package", type=Path, help="run the `headrace` of this directory")
    parser.add_argument("--keep", action="store_true", help="keep records and logs")
    parser.add_argument("--mutants", action="store_true", help="prove the checker instead")
    parser.add_argument("--mutant", default="", help="only mutants whose name holds this")
    arguments = parser.parse_args()
    if arguments.mutants or arguments.mutant:
        return hunt_all(arguments.jobs, arguments.mutant, Topology(arguments.topology))
    topology = Topology(arguments.topology)
    runs = [
        replace(run, drain_seconds=arguments.drain, topology=topology)
        for run in plan(
            arguments.seed, arguments.runs, arguments.events, arguments.scenario, arguments.kind
        )
    ]
    results = Results(arguments.results)
    missing = [run for run in runs if run not in results]
    for result in play_all(
        missing, arguments.jobs, arguments.seconds, package=arguments.package, keep=arguments.keep
    ):
        results.add(result)
        print(result, flush=True)
    return summary([results[run] for run in runs if run in results], len(runs))


def hunt_all(jobs: int, name: str, topology: Topology) -> int:
    """Let every mutant whose name holds `name` run until it is caught; 1 when one is not."""
    wanted = [
        replace(mutant, run=replace(mutant.run, topology=topology))
        for mutant in MUTANTS
        if name in mutant.name
    ]
    verdicts = Counter[Verdict]()
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, hunted in zip(wanted, pool.map(hunt, wanted), strict=True):
            verdicts[hunted.verdict] += 1
            print(f"{mutant.name:58s} {hunted}", flush=True)
    print(f"mutants={len(wanted)}", *(f"{verdict}={verdicts[verdict]}" for verdict in Verdict))
    return 0 if wanted and verdicts[Verdict.CAUGHT] == len(wanted) else 1


def summary(results: list[Result], planned: int) -> int:
    """Print the figures as name=value; 1 when any bound is broken or a run is missing."""
    waits = sorted(wait for result in results for wait in result.redeliveries)
    broken = sorted({bound for result in results for bound in result.violations})
    print(f"broken bounds: {', '.join(broken) or 'none'}")
    print(f"commits: {', '.join(sorted({result.commit for result in results}))}")
    print(
        f"runs={len(results)} of={planned} events={sum(r.sent for r in results)}"
        f" effects={sum(r.effects for r in results)}"
        f" duplicates={sum(r.duplicates for r in results)}"
        f" trimmed={sum(r.trimmed for r in results)}"
        f" broker_lost={sum(r.broker_lost for r in results)}"
        f" redeliveries={len(waits)}"
        f" redelivery_median_s={statistics.median(waits) if waits else 0:.2f}"
        f" redelivery_max_s={max(waits, default=0):.2f}"
        f" broken_runs={sum(bool(r.violations) for r in results)}"
        f" seconds={sum(r.seconds for r in results):.0f}"
    )
    return 1 if broken or len(results) < planned else 0


if __name__ == "__main__":
    sys.exit(main())
