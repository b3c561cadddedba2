"""What waits for a slot, and the slots that wait for work."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter

from headrace.entry import Entry
from headrace.worker.routes import Route

Work = tuple[Route, Entry | None]
"""A batch route's work names no entry: the slot takes what waits at the route."""


class RunQueue:
    """First in, first out. At most one idle slot is woken at a time; it wakes the next if it finds
    more than it takes."""

    def __init__(self) -> None:
        self.work: deque[Work] = deque()
        self.paused = False
        """No slot starts anything new."""
        self.running = 0
        """Slots that have work."""
        self.turned = 0.0
        """When the loop last had a turn that a slot asked for, by perf_counter."""
        self._turn_asked = False
        self.idle: list[asyncio.Future[None]] = []
        """One for each slot that waits for work."""
        self.waking = False
        """A slot was woken and has not run yet."""

    def take_more(self, route: Route, first: Entry, most: int) -> list[Entry]:
        """`first` and what follows it in the queue for the same handler, at most `most`."""
        entries, work = [first], self.work
        while work and len(entries) < most and work[0][0] is route:
            entry = work.popleft()[1]
            assert entry is not None
            entries.append(entry)
        return entries

    def put_back(self, route: Route, entries: list[Entry]) -> None:
        """Put entries that a slot took and did not begin in front of the queue again."""
        if entries:
            self.work.extendleft((route, entry) for entry in reversed(entries))
            self.wake()

    def wake(self) -> None:
        """Have a slot look at the queue, if there is work and a slot without."""
        if self.work and self.idle and not self.waking and not self.paused:
            self.wake_one()

    def wake_one(self) -> None:
        while self.idle:
            waiter = self.idle.pop()
            if not waiter.done():  # a cancelled slot waits with another
                self.waking = True
                waiter.set_result(None)
                return

    def ask_for_turn(self) -> None:
        """Note in `turned` when the loop has its next turn. A slot that has given it one begins no
        event before: others may have had their turn first, and long."""
        if not self._turn_asked:
            self._turn_asked = True
            asyncio.get_running_loop().call_soon(self._has_turned)

    def _has_turned(self) -> None:
        self._turn_asked = False
        self.turned = perf_counter()

    async def until_woken(self) -> None:
        """Wait as an idle slot."""
        waiter = asyncio.get_running_loop().create_future()
        self.idle.append(waiter)
        try:
            await waiter
        finally:
            if not waiter.cancelled():
                self.waking = False
