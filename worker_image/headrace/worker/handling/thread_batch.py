"""Several entries for one sync handler, taken to a thread in one hop.

A hop between the loop and a thread costs more than most handlers do. So a slot whose handler proved
fast takes more at once, and each entry keeps an outcome, a time-out and a time of its own. What
the thread does not begin within its budget goes back to the queue, and so does what waits behind
an entry that turns out slow: no event waits for another while a slot is free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from inspect import isawaitable
from time import perf_counter
from typing import Any, NamedTuple

from headrace.entry import Entry
from headrace.worker.handling.returned import ending_of

BUDGET_SECONDS = 0.002
"""A thread starts no further entry of a batch after this."""
MAX_ENTRIES = 64


class Ended(NamedTuple):
    """One handled entry: `ending` is None when its handler returned."""

    entry: Entry
    ending: BaseException | None
    seconds: float


class ThreadBatch:
    """Filled and emptied by the loop, worked through by a thread."""

    def __init__(
        self,
        function: Callable[..., Any],
        calls: list[tuple[Entry, tuple[Any, ...]]],
        context: Context,
    ) -> None:
        """Each call runs in a copy of `context`."""
        self._function = function
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._entries = [entry for entry, _ in calls]
        self._waiting = deque(calls)
        """The thread takes from the left, the loop from the right, one at a time: each step is
        atomic, so an entry either waits or is started. A lock would cost more than the call."""
        self._taken_back = 0
        self._ended: deque[Ended] = deque()
        self.taken = 0
        """Of what was started, how many ends were taken."""
        self.since = perf_counter()
        """When the entry that runs now was started."""

    def work(self) -> None:
        """Handle entries one after the other; runs in the thread and never raises."""
        until = perf_counter() + BUDGET_SECONDS
        while self.since < until:
            try:
                entry, arguments = self._waiting.popleft()
            except IndexError:
                return
            started = self.since
            ending = self._call(arguments)
            self.since = perf_counter()
            self._ended.append(Ended(entry, ending, self.since - started))

    def take_back(self) -> list[Entry]:
        """The entries not begun; the thread will not begin them any more."""
        entries = []
        with suppress(IndexError):
            while True:
                entries.append(self._waiting.pop()[0])
        self._taken_back += len(entries)
        return entries[::-1]

    def take_ended(self) -> list[Ended]:
        """What ended since the last call."""
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        self.taken += len(ended)
        return ended

    def running(self) -> list[Entry]:
        """The entries begun whose ends were not taken."""
        started = len(self._entries) - self._taken_back - len(self._waiting)
        return self._entries[self.taken : started]

    def _call(self, arguments: tuple[Any, ...]) -> BaseException | None:
        try:
            result = self._context.copy().run(self._function, *arguments)
            if result is None:
                return None
            if isawaitable(result):  # a plain function around an async one
                waits = asyncio.run_coroutine_threadsafe(_caught(result), self._loop)
                result = waits.result()
            return ending_of(result)
        except BaseException as ending:
            return ending


async def _caught(awaitable: Any) -> Any:
    """What it returns or raises; a task that ends with SystemExit would end the loop."""
    try:
        return await awaitable
    except BaseException as ending:
        return ending
