"""Whether the shards of a Cluster carry alike: memory and what comes in, by INFO of each. Pure.

A stream lives on one shard. So one that is large or busy, or many of one hash tag, make one shard
hot while the others idle, and more shards do not help.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headrace.streams.info import Info

LEAST_MEMORY = 32 << 20
"""Bytes of all shards together below which nothing is said of memory."""
LEAST_INPUT = 200.0
"""The same of what comes in, in KiB a second."""
MOST_OF_TWO = 0.9
ADVICE = (
    "a stream lives on one shard: give streams other hash tags, or split a large one into several,"
    " such as {flights-0} and {flights-1}, by a key of its events"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """One primary. `memory`: bytes of its data. `input`: KiB a second that come in, by the server's
    own mean of the last seconds; commands of readers are in it."""

    address: str
    memory: int
    input: float


def shard_of(address: str, info: Info) -> Shard:
    """What INFO tells; 0 where it does not."""
    memory = int(info.get("used_memory_dataset", 0))
    return Shard(address, memory, float(info.get("instantaneous_input_kbps", 0)))


def hot_shard(shards: Sequence[Shard]) -> str | None:
    """A sentence where one shard carries twice its fair part or more, of two nine tenths; else
    None."""
    if len(shards) < 2:
        return None
    kinds: tuple[tuple[str, Callable[[Shard], float], float], ...] = (
        ("the memory", lambda shard: shard.memory, LEAST_MEMORY),
        ("what comes in", lambda shard: shard.input, LEAST_INPUT),
    )
    found: dict[str, list[str]] = {}
    for what, amount, least in kinds:
        total = sum(map(amount, shards))
        hottest = max(shards, key=amount)
        if total >= least and amount(hottest) >= min(2 / len(shards), MOST_OF_TWO) * total:
            percent = round(amount(hottest) / total * 20) * 5  # a status is not for each per cent
            found.setdefault(hottest.address, []).append(f"about {percent} % of {what}")
    if not found:
        return None
    uneven = "; ".join(
        f"{address} carries {' and '.join(parts)}" for address, parts in found.items()
    )
    return f"of {len(shards)} shards {uneven}; {ADVICE}"
