"""When a server's memory will be full, if it goes on as in the last hour. Pure.

An hour, as trims come several times in it or once: what they free must not count as growth.
"""

from __future__ import annotations

from collections import deque

from headrace.streams.memory import Room

WINDOW_SECONDS = 3_600
LEAST_SECONDS = 600
"""Shorter, and a buffer that comes and goes looks like growth."""
FARTHEST_SECONDS = 30 * 86_400
"""Beyond that it is a guess, and nobody's worry."""


class MemoryTrend:
    def __init__(self) -> None:
        self._seen: deque[tuple[float, Room]] = deque()

    def add(self, clock: float, room: Room | None) -> None:
        """`clock`: monotonic seconds. None: the server did not say, and what was known is old."""
        if room is None:
            self._seen.clear()
            return
        self._seen.append((clock, room))
        while len(self._seen) > 1 and clock - self._seen[1][0] >= WINDOW_SECONDS:
            self._seen.popleft()

    def full_in(self) -> float | None:
        """Seconds, 0 when it is full; None where it does not grow, or nothing limits it."""
        if not self._seen or not self._seen[-1][1].limit:
            return None
        (began, before), (now, room) = self._seen[0], self._seen[-1]
        left = room.limit - room.used
        if left <= 0:
            return 0.0
        if now - began < LEAST_SECONDS or room.used <= before.used:
            return None
        seconds = left * (now - began) / (room.used - before.used)
        return seconds if seconds <= FARTHEST_SECONDS else None
