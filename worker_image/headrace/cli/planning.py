"""How much memory a stream needs: from a rate, a payload and a time. Pure.

The costs of an entry were measured (`python -m bench.memory`, docs/operate/sizing.md): Redis 7.0
and Valkey 8 agree. They hold the payload and the wire format's `type` and `version`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

MEASURED = (
    (16, 45),
    (64, 95),
    (128, 166),
    (256, 295),
    (512, 590),
    (1_024, 1_204),
    (2_048, 2_561),
    (4_096, 5_095),
    (16_384, 19_602),
)
"""(bytes of payload, bytes of memory for the entry)."""
FREE_SHARE = 0.25
"""Of maxmemory: for groups that are behind, for buffers, and for what a snapshot copies."""
MOST_GROWTH_BETWEEN_TRIMS = 0.05
SCHEDULES = (
    (3_600, "0 * * * *"),
    (1_800, "*/30 * * * *"),
    (900, "*/15 * * * *"),
    (300, "*/5 * * * *"),
    (60, "* * * * *"),
)
"""(seconds between two trims, as cron writes it), the longest first."""

_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|KiB|MiB|kB|MB)?")
_BYTES = {None: 1, "B": 1, "kB": 1_000, "KiB": 1 << 10, "MB": 1_000_000, "MiB": 1 << 20}


@dataclass(frozen=True, slots=True)
class Plan:
    """`memory`: bytes of the stream just before a trim. `maxmemory`: with room beside it.
    `bytes_an_hour`: what each hour more of events adds, as while a group is away."""

    entries: int
    entry_bytes: float
    memory: int
    maxmemory: int
    bytes_an_hour: int
    max_length: int
    schedule: str


def rate_of(text: str) -> float:
    """`500/s`, `30000/m`, `2000000/d` as events a second. Raises ValueError."""
    found = _RATE.fullmatch(text)
    if found is None or not float(found[1]):
        raise ValueError(f"{text!r} is no rate; write 500/s, 30000/m, 2000000/h or 40000000/d")
    return float(found[1]) / _SECONDS[found[2]]


def bytes_of(text: str) -> int:
    """`300`, `300B`, `1KiB`, `1.5MB`. Raises ValueError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no size; write 300B, 1KiB or 2MiB")
    return round(float(found[1]) * _BYTES[found[2]])


def entry_bytes(payload: int) -> float:
    """Memory of one entry, between two measured sizes in proportion."""
    for (low, low_cost), (high, high_cost) in pairwise(MEASURED):
        if payload <= high:
            share = max(0.0, (payload - low) / (high - low))
            return low_cost + share * (high_cost - low_cost)
    size, cost = MEASURED[-1]
    return payload * cost / size


def plan(rate: float, each: float, seconds: float) -> Plan:
    """`rate`: events a second; `each`: bytes of an entry; `seconds`: how long one is kept."""
    entries = max(1, round(rate * seconds))
    growth = MOST_GROWTH_BETWEEN_TRIMS * seconds
    every, schedule = next((one for one in SCHEDULES if one[0] <= growth), SCHEDULES[-1])
    memory = round((entries + rate * every) * each)
    return Plan(
        entries=entries,
        entry_bytes=each,
        memory=memory,
        maxmemory=round(memory / (1 - FREE_SHARE)),
        bytes_an_hour=round(rate * 3_600 * each),
        max_length=entries,
        schedule=schedule,
    )
