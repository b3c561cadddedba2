"""Many seeded runs, a table, and a non-zero exit when any bound is broken.

python -m tests.crash --runs 200 --events 5000
python -m tests.crash --scenario network --seed 17        # one run again
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.crash.checker import Report
from tests.crash.faults import SCENARIOS
from tests.crash.world import Run, World

REDIS = ["redis-server"]


def play(run: Run, *, keep: bool = False) -> Report:
    world = World(run, REDIS)
    try:
        report = world.play()
    finally:
        world.close(keep=keep)
    if keep:
        print(f"left in {world.directory}")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--scenario", choices=list(SCENARIOS), help="default: all in turn")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--keep", action="store_true", help="keep records and logs")
    arguments = parser.parse_args()
    names = [arguments.scenario] if arguments.scenario else list(SCENARIOS)
    runs = [
        Run(arguments.seed + number, names[number % len(names)], arguments.events)
        for number in range(arguments.runs)
    ]
    began = time.monotonic()
    reports: list[Report] = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for run, report in zip(
            runs, pool.map(lambda run: play(run, keep=arguments.keep), runs), strict=True
        ):
            reports.append(report)
            verdict = "ok" if not report.violations else "BROKEN"
            print(
                f"{len(reports):4d} seed {run.seed:5d} {run.scenario:11s} {verdict:6s} "
                f"{report.effects} effects of {report.sent}, {report.duplicates} again",
                flush=True,
            )
            for bound, examples in report.violations.items():
                for example in examples:
                    print(f"       {bound}: {example}", flush=True)
    return summary(reports, time.monotonic() - began)


def summary(reports: list[Report], seconds: float) -> int:
    """Print the figures as name=value; 1 when any bound is broken."""
    waits = sorted(wait for report in reports for wait in report.redeliveries)
    broken = sorted({bound for report in reports for bound in report.violations})
    print(f"broken bounds: {', '.join(broken) or 'none'}")
    print(
        f"runs={len(reports)} events={sum(r.sent for r in reports)}"
        f" effects={sum(r.effects for r in reports)}"
        f" duplicates={sum(r.duplicates for r in reports)}"
        f" trimmed={sum(r.trimmed for r in reports)}"
        f" broker_lost={sum(r.broker_lost for r in reports)}"
        f" redeliveries={len(waits)}"
        f" redelivery_median_s={statistics.median(waits) if waits else 0:.2f}"
        f" redelivery_max_s={max(waits, default=0):.2f}"
        f" broken_runs={sum(bool(r.violations) for r in reports)}"
        f" seconds={seconds:.0f}"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
