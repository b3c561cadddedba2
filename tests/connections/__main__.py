"""Prints one row per server, topology and fault; exit code 1 where an event was lost, or
handled more often than it was delivered."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable

from tests.support.redis_servers import ALL_KINDS
from tests.support.redis_topologies import Cluster, SentinelSet, cluster, sentinel_set
from tests.support.under_load import run_through

Make = Callable[[str], contextlib.AbstractContextManager[SentinelSet | Cluster]]
CASES: list[tuple[str, Make, str]] = [
    ("Sentinel", sentinel_set, "fail_over"),
    ("Sentinel", sentinel_set, "kill_primary"),
    ("Cluster", cluster, "move_slot"),
    ("Cluster", cluster, "kill_primary"),
]
OUTAGE_SECONDS = 2.0
"""How much longer handling may stand still than sending did."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.connections", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kinds", nargs="*", default=list(ALL_KINDS))
    told = parser.parse_args()
    failed = 0
    print("server    topology  fault         kept    lost  twice  sending  handling  result")
    for kind in told.kinds:
        for topology, make, fault in CASES:
            with make(kind) as servers:
                result = asyncio.run(
                    run_through(servers, getattr(servers, fault), events=told.events)
                )
            late = result.handlers_gap > result.senders_gap + OUTAGE_SECONDS
            untold = result.twice > result.redelivered + result.as_new
            word = "LOST" if result.lost else "TWICE" if untold else "slow" if late else "ok"
            failed += word != "ok"
            print(
                f"{kind:<9} {topology:<9} {fault:<13} {result.kept:>6} {len(result.lost):>5}"
                f" {result.twice:>6} {result.senders_gap:>7.1f}s {result.handlers_gap:>8.1f}s"
                f"  {word}",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
