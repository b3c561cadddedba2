"""SIGTERM and SIGINT, from before the handlers are imported: the kernel keeps a signal from PID 1,
which the process in a container is, until it has a handler for it."""

from __future__ import annotations

import asyncio
import os
import signal
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """The first signal asks the process to stop, the second ends it at once.

    That loses nothing: what was not written stays pending and is reclaimed.
    """

    def __init__(self) -> None:
        """From now on a signal ends the process with exit code 0: nothing was read yet."""
        self._came = False
        for number in SIGNALS:
            signal.signal(number, self._end)

    def watch(self) -> asyncio.Event:
        """From now on the first signal sets this event; it is set if one came before, and somebody
        caught what it raised."""
        stopping = asyncio.Event()
        if self._came:
            stopping.set()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._ask, stopping, number)
        return stopping

    def _end(self, number: int, _: FrameType | None) -> None:
        if self._came:
            os._exit(128 + number)
        self._came = True
        raise SystemExit(0)

    def _ask(self, stopping: asyncio.Event, number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()
