"""The figures of a run, their bounds, and what is said of them at the end."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

BOUNDS = {
    "single": 0.5,
    "single_by_faststream": 15.0,
    "batch": 0.7,
    "batch_by_faststream_batch": 1.0,
    "dedup": 0.25,
    "outputs": 0.25,
    "failing": 0.25,
    "sync": 0.25,
    "1KiB": 0.25,
    "16KiB": 0.25,
    "waiting": 0.9,
    "cluster": 0.9,
}
CEILINGS = {
    "memory_slope_errors": 2.0,
    "latency_p50_ms": 2.0, "latency_p99_ms": 10.0, "idle_rss_mib": 60.0, "idle_cpu_percent": 1.0,
}  # fmt: skip
GUARD = 0.8
"""CI fails below this share of a bound: its machines are noisier than a bench's."""


@dataclass
class Report:
    """Figures as they come in, and what they mean at the end."""

    values: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rates: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: defaultdict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Microseconds per event of (contender, server); they vary less than the clock does."""

    def add(self, name: str, value: float) -> None:
        self.values[name].append(value)

    def rate(self, name: str, rate: float) -> float:
        self.rates[name].append(rate)
        print(f"  {name:18} {rate:12,.0f} events/s", flush=True)
        return rate

    def end(self, share: float = 1.0, *, best: bool = False) -> int:
        """Print everything; the exit code. `best`: judge the best round, not the median."""
        print("\nevents/s: median (least .. most)")
        for name, rates in self.rates.items():
            print(f"  {name:26} {_spread(rates, ',.0f')}")
        print("\nCPU, us per event: contender + server, medians")
        for name, spent in self.cpu.items():
            ours, servers = (statistics.median(column) for column in zip(*spent, strict=True))
            print(f"  {name:26} {ours:.1f} + {servers:.1f}")
        print("\nfigures: median (least .. most)")
        missed, line = [], []
        for name, values in self.values.items():
            median = statistics.median(values)
            judged, bound = (max(values) if best else median), BOUNDS.get(name)
            ceiling = CEILINGS.get(name)
            said = ""
            if bound is not None:
                said = f"  bound {bound * share:g}"
                missed += [name] if judged < bound * share else []
            elif ceiling is not None:
                said = f"  at most {ceiling:g}"
                missed += [name] if median > ceiling else []
            print(f"  {name:26} {_spread(values, '.3f')}{said}")
            line.append(f"{name}={median:.3f}")
        if missed:
            print(f"missed: {', '.join(missed)}")
        print(" ".join(line))
        return 1 if missed else 0


def _spread(values: list[float], form: str) -> str:
    median = statistics.median(values)
    return f"{median:{form}} ({min(values):{form}} .. {max(values):{form}})"
