"""`python -m bench.scaling [--plots DIRECTORY]`: every scaler on every trace, and the bounds.

Ends with `name=value` pairs; exits non-zero when a bound of docs/scaling.md is not kept.
"""

import argparse
import sys
from pathlib import Path

from bench.scaling.comparison import Comparison
from bench.scaling.contenders import PEERS, SAME_GOAL, WINDOW, Headrace
from bench.scaling.traces import TRACES
from rich.console import Console
from rich.table import Table


def main() -> int:
    parser = argparse.ArgumentParser(description="Scalers side by side, simulated.")
    parser.add_argument("--plots", type=Path, help="draw the courses here, as SVG and PNG")
    plots: Path | None = parser.parse_args().plots
    comparisons = [Comparison(trace) for trace in TRACES]
    Console(width=110).print(_table(comparisons))
    if plots is not None:
        from bench.scaling.plot import draw  # noqa: PLC0415 - matplotlib is wanted only here

        draw(comparisons, plots)
    print(f"traces={len(comparisons)}")
    print(f"scale_down_after_seconds={WINDOW}")
    for peer in PEERS:
        _tell(peer, comparisons)
    failures = [words for comparison in comparisons for words in comparison.failures()]
    for words in failures:
        print(f"FAILED {words}", file=sys.stderr)
    return 1 if failures else 0


def _table(comparisons: list[Comparison]) -> Table:
    table = Table("trace", "scaler", title=f"turns: most changes of direction within {WINDOW} s")
    for title in ("backlog-s", "pod-s", "turns", "0 with work", "Headrace beats it"):
        table.add_column(title, justify="right")
    for comparison in comparisons:
        patience = comparison.trace.startup + 5
        for name, runs in comparison.runs.items():
            cost = comparison.costs[name]
            table.add_row(
                comparison.trace.name if name == Headrace.name else "",
                name,
                f"{cost.backlog:,.0f}",
                f"{cost.pods:,.0f}",
                str(max(run.reversals(WINDOW) for run in runs)),
                str(max(run.zero_with_work(patience) for run in runs)),
                "" if name == Headrace.name else _how(comparison, name),
            )
        table.add_section()
    return table


def _how(comparison: Comparison, peer: str) -> str:
    setting = comparison.setting_that_beats(peer)
    if setting is None:
        return "no"
    return "yes" if setting == WINDOW else f"with {setting} s"


def _tell(peer: str, comparisons: list[Comparison]) -> None:
    """The worst ratios at the default, and where another scaleDownAfter is needed."""
    pairs = [(c.costs[Headrace.name], c.costs[peer]) for c in comparisons]
    settings = [c.setting_that_beats(peer) for c in comparisons]
    goal = {SAME_GOAL: "numaflow", "KEDA + HPA": "keda"}.get(peer, "numaflow_20s")
    print(f"{goal}_worst_backlog_seconds_ratio={max(m.backlog / t.backlog for m, t in pairs):.3f}")
    print(f"{goal}_worst_pod_seconds_ratio={max(m.pods / t.pods for m, t in pairs):.3f}")
    print(f"{goal}_beaten_by_default={settings.count(WINDOW)}/{len(settings)}")
    print(f"{goal}_beaten_by_some_setting={len(settings) - settings.count(None)}/{len(settings)}")


if __name__ == "__main__":
    sys.exit(main())
