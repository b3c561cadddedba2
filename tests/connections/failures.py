"""The table of faults: one worker and one server each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from tests.connections.faults import FAULTS, Fault
from tests.connections.play import LONG, Bounds, Outcome, play

SECONDS = 24.0
"""A read notices after ten seconds that nothing comes; ten later a worker is not ready any more."""
LONG_SECONDS = 600.0


def table(
    kinds: Sequence[str], names: Sequence[str], seconds: float, jobs: int, logs: Path | None
) -> int:
    """Play and print them; how many went wrong."""
    faults = [fault for fault in FAULTS if not names or fault.name in names]
    wrong = 0
    if faults:
        print("server    fault                 kept lost twice lines  cpu  unready    back  result")
    for kind in kinds:
        for outcome in play_all(faults, kind, seconds, jobs):
            print(f"{kind:<9} {row(outcome)}", flush=True)
            wrong += bool(outcome.wrong)
            if logs is not None:
                logs.mkdir(parents=True, exist_ok=True)
                (logs / f"{kind} {outcome.fault}.log").write_text(outcome.log)
    return wrong


def play_all(faults: Sequence[Fault], kind: str, seconds: float, jobs: int) -> Iterator[Outcome]:
    """Side by side, each with servers of its own, in a thread that lives on: a server that a
    thread started ends with it."""
    bounds = LONG if seconds >= LONG_SECONDS else Bounds()
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(play, faults, repeat(kind), repeat(seconds), repeat(bounds))


def row(outcome: Outcome) -> str:
    return (
        f"{outcome.fault:<20} {outcome.kept:>5} {outcome.lost:>4} {outcome.twice:>5}"
        f" {outcome.lines:>5} {outcome.cpu_percent:>3.1f}% {'yes' if outcome.unready else 'no':>8}"
        f" {outcome.back_after:>6.1f}s  {'; '.join(outcome.wrong) or 'ok'}"
    )
