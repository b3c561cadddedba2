"""`python -m bench.operator [--bursts 100] [--pipelines 1000]`: figures, and their bounds.

Ends with `name=value` pairs; exits non-zero when a bound is not kept.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.operator import burst, fleet
from bench.operator.stage import Stage, stage

BOUNDS = {
    "burst_p99_s": 2.0,
    "converged_s": 39.0,
    "memory_mib": 150.0,
    "quiet_writes_per_min": 0.0,
    "reconcile_p99_s": 1.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bursts", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--pipelines", type=int, default=1_000, help="default: %(default)s")
    options = parser.parse_args()
    with stage() as ready:
        figures = measure(ready, options.pipelines, options.bursts)
    for name, value in figures.items():
        print(f"{name}={value:.3f}")
    broken = [n for n, bound in BOUNDS.items() if figures.get(n, 0.0) > bound]
    if figures.get("bursts_in_one_step", 0) != figures["bursts"]:
        broken.append("bursts_in_one_step")
    for name in broken:
        print(f"FAILED {name}={figures[name]:.3f}, bound {BOUNDS.get(name, 'every burst')}")
    return 1 if broken else 0


def measure(ready: Stage, pipelines: int, bursts: int) -> dict[str, float]:
    figures: dict[str, float] = {"pipelines": pipelines, "bursts": bursts}
    if pipelines:
        seen, operator = fleet.measure(ready, pipelines)
        figures |= {
            "converged_s": seen.converged,
            "memory_mib": seen.memory,
            "quiet_writes_per_min": seen.writes,
            "reconcile_p99_s": seen.reconcile_p99,
        }
    else:
        operator = ready.start_operator()
        while not operator.leads:
            time.sleep(0.1)
    if bursts:
        found = burst.measure(ready, bursts)
        ordered = sorted(found.seconds)
        for steps in found.steps:
            if len(steps) != 1:
                print(f"not one step: {steps}")
        figures |= {
            "burst_p50_s": ordered[len(ordered) // 2],
            "burst_p99_s": ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)],
            "burst_max_s": ordered[-1],
            "bursts_in_one_step": found.in_one_step,
            "memory_after_bursts_mib": fleet.memory(operator),
        }
    return figures


if __name__ == "__main__":
    sys.exit(main())
