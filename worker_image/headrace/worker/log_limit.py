"""Lines that would come by the hundred come once a while, with how often it happened since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import monotonic

INTERVAL_SECONDS = 10.0
MAX_KEYS = 100
"""How many different things are told apart at a time."""


class LogLimit:
    """Lets `burst` lines per key through every ten seconds, and counts what happened between."""

    def __init__(self, clock: Callable[[], float] = monotonic, *, burst: int = 1) -> None:
        self._clock = clock
        self._burst = burst
        self._said: dict[str, tuple[float, int]] = {}
        """Since when lines of this key are counted, and how many there were."""
        self._happened: Counter[str] = Counter()

    def due(self, key: str, times: int = 1) -> int:
        """How often `key` happened since its last line, `times` included; 0: say nothing yet."""
        now = self._clock()
        self._happened[key] += times
        since, lines = self._said.get(key, (now, 0))
        if now - since >= INTERVAL_SECONDS:
            since, lines = now, 0
        if lines >= self._burst:
            return 0
        if key not in self._said and len(self._said) >= MAX_KEYS:
            self._said.clear()
        self._said[key] = since, lines + 1
        return self._happened.pop(key)
