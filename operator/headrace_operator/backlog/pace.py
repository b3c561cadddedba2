"""How often a Redis is read, by what a round costs and whether it answers."""

from __future__ import annotations

import random
from collections.abc import Collection

# A round may take this part of its interval, or the interval grows.
SHARE = 10
SLOWEST_SECONDS = 30.0
# A Redis that is away is asked at least as often, or its status is told too late.
LONGEST_RETRY_SECONDS = 5.0
# So many of the newest rounds count with their durations.
ROUNDS = 3


def pace(interval: float, took: Collection[float], failures: int) -> float:
    """Seconds until the next round, after rounds that took so long and so many that failed.

    The shortest of the last `ROUNDS` counts: one round that a stalled server or a busy machine held
    up says nothing of what a round costs. Nor does the very first.
    """
    if failures:
        return min(interval * 2.0**failures, LONGEST_RETRY_SECONDS) * random.uniform(0.5, 1.0)
    costs = min(took) if len(took) >= ROUNDS else 0.0
    return min(max(interval, costs * SHARE), SLOWEST_SECONDS) * random.uniform(0.95, 1.05)
