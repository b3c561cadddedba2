"""What waits for a slot, and the slots that wait for work."""

from __future__ import annotations

import asyncio
from collections import deque

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
        self.idle: list[asyncio.Future[None]] = []
        """One for each slot that waits for work."""
        self.waking = False
        """A slot was woken and has not run yet."""

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
        waiter = self.idle.pop()
        if not waiter.done():
            self.waking = True
            waiter.set_result(None)

    async def until_woken(self) -> None:
        """Wait as an idle slot."""
        waiter = asyncio.get_running_loop().create_future()
        self.idle.append(waiter)
        await waiter
        self.waking = False
