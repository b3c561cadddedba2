"""`python -m bench.scaling [--plots DIRECTORY]`: every scaler on every trace, and the bounds.

Ends with `name=value` pairs; exits non-zero when a bound of docs/scaling.md is not kept.
"""

import argparse
import sys
from pathlib import Path

from bench.scaling.comparison import Comparison, Cost, cost
from bench.scaling.contenders import KEDA, NUMAFLOW, NUMAFLOW_DEFAULT, PEERS, WINDOW
from bench.scaling.traces import TRACES
from bench.scaling.world import Run
from rich.console import Console
from rich.table import Table

FIGURES = {KEDA: "keda", NUMAFLOW: "numaflow_5s", NUMAFLOW_DEFAULT: "numaflow_20s"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Scalers side by side, simulated.")
    parser.add_argument("--plots", type=Path, help="draw the courses here, as SVG")
    plots: Path | None = parser.parse_args().plots
    comparisons = [Comparison(trace) for trace in TRACES]
    Console(width=110).print(_table(comparisons))
    if plots is not None:
        from bench.scaling.plot import draw

        draw(comparisons, plots)
    print(f"traces={len(comparisons)}")
    print(f"scale_down_after_seconds={WINDOW}")
    for peer in PEERS:
        _tell(FIGURES[peer], [comparison.pair(peer) for comparison in comparisons])
    for comparison in comparisons:
        if comparison.trace.more:
            _tell_draws(comparison)
    failures = [words for comparison in comparisons for words in comparison.failures()]
    for words in failures:
        print(f"FAILED {words}", file=sys.stderr)
    return 1 if failures else 0


def _table(comparisons: list[Comparison]) -> Table:
    table = Table("trace", "scaler", title=f"turns: most changes of direction within {WINDOW} s")
    for title in ("entries", "backlog-s", "pod-s", "turns", "0 with work", "beaten"):
        table.add_column(title, justify="right")
    for comparison in comparisons:
        trace = comparison.trace
        for target in sorted({peer.target for peer in PEERS}):
            _row(table, trace.name, "Headrace", target, comparison.mine(target), trace.startup, "")
            for peer in PEERS:
                if peer.target == target:
                    mine, theirs = comparison.pair(peer)
                    beaten = "yes" if mine.beats(theirs) else "no"
                    runs = comparison.theirs(peer)
                    _row(table, "", peer.name, target, runs, trace.startup, beaten)
        table.add_section()
    return table


def _row(
    table: Table, trace: str, name: str, target: int, runs: list[Run], startup: int, beaten: str
) -> None:
    mean = cost(runs)
    table.add_row(
        trace,
        name,
        str(target),
        f"{mean.backlog:,.0f}",
        f"{mean.pods:,.0f}",
        str(max(run.reversals(WINDOW) for run in runs)),
        str(max(run.zero_with_work(startup + 5) for run in runs)),
        beaten,
    )


def _tell(name: str, pairs: list[tuple[Cost, Cost]]) -> None:
    """The worst ratios of any trace: Headrace's by the peer's."""
    print(f"{name}_worst_backlog_seconds_ratio={max(m.backlog / t.backlog for m, t in pairs):.3f}")
    print(f"{name}_worst_pod_seconds_ratio={max(m.pods / t.pods for m, t in pairs):.3f}")
    print(f"{name}_beaten={sum(m.beats(t) for m, t in pairs)}/{len(pairs)}")


def _tell_draws(comparison: Comparison) -> None:
    """One draw is a lottery: how far single draws lie apart."""
    name = comparison.trace.name.replace(" ", "_")
    print(f"{name}_draws={len(comparison.trace.draws)}")
    for peer in PEERS:
        ratios = sorted(comparison.waiting_by_draw(peer))
        lost = sum(ratio >= 1 for ratio in ratios)
        print(
            f"{name}_{FIGURES[peer]}_backlog_seconds_ratio={ratios[0]:.2f}..{ratios[-1]:.2f}"
            f" {name}_{FIGURES[peer]}_draws_lost={lost}"
        )


if __name__ == "__main__":
    sys.exit(main())
