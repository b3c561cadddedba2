"""How long to wait before the next try. Pure: the caller brings the randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import random

FIRST_SECONDS, SOON_SECONDS, LATE_SECONDS = 0.2, 2.0, 10.0
"""Bounds of a wait for Redis: at first, within a failover, in a long outage."""
LEAST_SECONDS = 0.02
"""Between two tries, whatever chance says: a burst of them is a busy loop."""
Random = Callable[[], float]
"""A number in [0, 1)."""


def delay(failures: int, *, initial: float, maximum: float, rng: Random = random) -> float:
    """Seconds before attempt `failures` + 1: doubling from `initial`, capped, with jitter.

    The result lies between half of the doubled value and all of it, so that entries that failed
    together do not come back together.
    """
    # The exponent is capped: 2.0 ** 2000 does not fit a float.
    doubled = min(maximum, initial * 2.0 ** min(failures - 1, 64))
    return doubled * (0.5 + 0.5 * rng())


def attempts(*, rng: Random = random) -> Iterator[float]:
    """Endless waits in seconds between tries to reach Redis: anywhere below a bound that doubles,
    so that workers which lost it together do not come back together.

    The bound is what an outage may last longer for us than it did for Redis: 2 s in the first 20 s
    of it, then a tenth of what it lasted so far, 10 s at most.
    """
    bound, waited = FIRST_SECONDS, 0.0
    while True:
        wait = max(LEAST_SECONDS, bound * rng())
        yield wait
        waited += wait
        bound = min(bound * 2, max(SOON_SECONDS, min(LATE_SECONDS, waited / 10)))
