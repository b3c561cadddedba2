"""How long to wait before the next try. Pure: the caller brings the randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import random

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


def attempts(
    *, initial: float = 0.1, maximum: float = 5.0, rng: Random = random
) -> Iterator[float]:
    """Endless waits in seconds between tries to reach Redis."""
    failures = 0
    while True:
        failures += 1
        yield delay(failures, initial=initial, maximum=maximum, rng=rng)
