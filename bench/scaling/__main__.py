"""`python -m bench.scaling [--plots DIRECTORY]`: every scaler on every trace, and the bounds.

Ends with `name=value` pairs; exits non-zero when a bound of docs/scaling.md is not kept.
"""

import argparse
import sys
from pathlib import Path

from bench.scaling.plot import plot
from bench.scaling.scalers import ALL
from bench.scaling.traces import TRACES, Trace
from bench.scaling.world import Run, simulate
from rich.console import Console
from rich.table import Table

PHASES = (0, 11, 23)  # a poll may come at any moment: the figures are means over three
WINDOW = 60
MORE_PODS = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(description="Scalers side by side, simulated.")
    parser.add_argument("--plots", type=Path, help="write an SVG for each trace here")
    plots = parser.parse_args().plots
    table = Table("trace", "scaler", "backlog-s", "pod-s", "turns in 60 s", "0 with work")
    failures: list[str] = []
    worst_backlog = worst_pods = 0.0
    for trace in TRACES:
        runs = {s.name: [simulate(trace, s(phase)) for phase in PHASES] for s in ALL}
        for name, found in runs.items():
            table.add_row(trace.name, name, *map(str, _row(trace, found)))
        mine = runs.pop("Headrace")
        failures += _broken(trace, mine)
        for name, theirs in runs.items():
            backlog = _mean(mine, "backlog_seconds") / max(_mean(theirs, "backlog_seconds"), 1)
            pods = _mean(mine, "pod_seconds") / max(_mean(theirs, "pod_seconds"), 1)
            worst_backlog, worst_pods = max(worst_backlog, backlog), max(worst_pods, pods)
            if backlog >= 1:
                failures.append(f"{trace.name}: backlog-seconds {backlog:.2f} x {name}'s")
            if pods > MORE_PODS:
                failures.append(f"{trace.name}: pod-seconds {pods:.2f} x {name}'s")
        if plots is not None:
            plots.mkdir(parents=True, exist_ok=True)
            courses = {"Headrace": mine[0]} | {name: found[0] for name, found in runs.items()}
            path = plots / f"{trace.name.replace(' ', '-')}.svg"
            path.write_text(plot(trace, courses), encoding="utf-8")
    Console().print(table)
    print(f"traces={len(TRACES)}")
    print(f"worst_backlog_seconds_ratio={worst_backlog:.3f}")
    print(f"worst_pod_seconds_ratio={worst_pods:.3f}")
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


def _row(trace: Trace, runs: list[Run]) -> tuple[object, ...]:
    return (
        f"{_mean(runs, 'backlog_seconds'):,.0f}",
        f"{_mean(runs, 'pod_seconds'):,.0f}",
        max(run.reversals(WINDOW) for run in runs),
        max(run.zero_with_work(trace.startup + 5) for run in runs),
    )


def _broken(trace: Trace, runs: list[Run]) -> list[str]:
    found = []
    if any(run.reversals(WINDOW) > 1 for run in runs):
        found.append(f"{trace.name}: more than one turn within {WINDOW} s")
    if any(run.zero_with_work(trace.startup + 5) for run in runs):
        found.append(f"{trace.name}: 0 workers with work")
    return found


def _mean(runs: list[Run], name: str) -> float:
    return float(sum(getattr(run, name) for run in runs)) / len(runs)


if __name__ == "__main__":
    sys.exit(main())
