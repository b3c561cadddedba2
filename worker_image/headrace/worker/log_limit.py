"""Lines that would come by the hundred come once a while, with how often it happened since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import monotonic

INTERVAL_SECONDS = 10.0
MAX_KEYS = 100
"""How many different things are told apart at a time."""


class LogLimit:
    """Lets a line per key through every ten seconds, and counts what happened between."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._happened: Counter[str] = Counter()

    def due(self, key: str, times: int = 1) -> int:
        """How often `key` happened since its last line, `times` included; 0: say nothing yet."""
        now = self._clock()
        self._happened[key] += times
        said = self._said.get(key)
        if said is not None and now - said < INTERVAL_SECONDS:
            return 0
        if len(self._said) >= MAX_KEYS:
            self._said.clear()
        self._said[key] = now
        return self._happened.pop(key)
