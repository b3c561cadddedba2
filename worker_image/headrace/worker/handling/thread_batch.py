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
from inspect import isawaitable
from time import perf_counter
from typing import Any, NamedTuple

from headrace.entry import Entry
from headrace.outcomes import returned_ending

BUDGET_SECONDS = 0.002
"""A thread starts no further entry of a batch after this."""
MAX_ENTRIES = 64


class Ended(NamedTuple):
    """One handled entry: `ending` is None when its handler returned."""

    entry: Entry
    ending: BaseException | None
    seconds: float


class ThreadBatch:
    """Filled by the loop, worked through by a thread; both only use the deques' atomic steps."""

    def __init__(
        self, function: Callable[..., Any], calls: list[tuple[Entry, tuple[Any, ...]]]
    ) -> None:
        self._function = function
        self._loop = asyncio.get_running_loop()
        self._waiting = deque(calls)
        self._started: list[Entry] = []
        self.ended: deque[Ended] = deque()
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
            self._started.append(entry)
            started = self.since
            ending = self._call(arguments)
            self.since = perf_counter()
            self.ended.append(Ended(entry, ending, self.since - started))

    def take_back(self) -> list[Entry]:
        """The entries not begun; the thread will not begin them any more."""
        entries = []
        while self._waiting:
            try:
                entries.append(self._waiting.popleft()[0])
            except IndexError:
                break  # the thread was quicker
        return entries

    def running(self) -> list[Entry]:
        """The entry begun and not ended, if any."""
        return self._started[len(self.ended) :]

    def _call(self, arguments: tuple[Any, ...]) -> BaseException | None:
        try:
            result = self._function(*arguments)
            if isawaitable(result):  # a plain function around an async one
                result = asyncio.run_coroutine_threadsafe(_await(result), self._loop).result()
        except BaseException as ending:
            return ending
        return returned_ending(result)


async def _await(awaitable: Any) -> Any:
    return await awaitable
