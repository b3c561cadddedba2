"""The table of topologies: events under load while the primary moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from tests.support.redis_topologies import Cluster, SentinelSet, cluster, sentinel_set
from tests.support.under_load import Result, run_through

Make = Callable[[str], contextlib.AbstractContextManager[SentinelSet | Cluster]]
CASES: list[tuple[str, Make, str]] = [
    ("Sentinel", sentinel_set, "fail_over"),
    ("Sentinel", sentinel_set, "kill_primary"),
    ("Cluster", cluster, "move_slot"),
    ("Cluster", cluster, "kill_primary"),
]
OUTAGE_SECONDS = 2.0
"""How much longer handling may stand still than sending did."""


def table(kinds: Sequence[str], names: Sequence[str], events: int) -> int:
    """Play and print them; how many went wrong."""
    cases = [case for case in CASES if not names or case[2] in names]
    wrong = 0
    if cases:
        print("server    topology  fault         kept    lost  twice  sending  handling  result")
    for kind in kinds:
        for topology, make, fault in cases:
            with make(kind) as servers:
                result = asyncio.run(run_through(servers, getattr(servers, fault), events=events))
            word = verdict(result)
            wrong += word != "ok"
            print(
                f"{kind:<9} {topology:<9} {fault:<13} {result.kept:>6} {len(result.lost):>5}"
                f" {result.twice:>6} {result.senders_gap:>7.1f}s {result.handlers_gap:>8.1f}s"
                f"  {word}",
                flush=True,
            )
    return wrong


def verdict(result: Result) -> str:
    """In one word."""
    if result.lost:
        return "LOST"
    if result.twice > result.redelivered + result.as_new:
        return "TWICE"
    late = result.handlers_gap > result.senders_gap + OUTAGE_SECONDS
    return "slow" if late else "ok"
