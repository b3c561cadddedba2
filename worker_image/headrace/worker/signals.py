"""SIGTERM and SIGINT, from before the handlers are imported: the kernel keeps a signal from PID 1,
which the process in a container is, until it has a handler for it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Forks:
    """A child that a handler forks has signals of its own. It would share the descriptor by which
    the parent's loop learns of signals: to end the child would stop the worker."""

    def __init__(self) -> None:
        self._mask = threading.local()

    def watch(self) -> None:
        """From now on; a signal that comes early waits until the child is ready for it."""
        os.register_at_fork(
            before=self._before, after_in_parent=self._restore, after_in_child=self._in_child
        )

    def _before(self) -> None:
        self._mask.kept = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def _restore(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask.kept)

    def _in_child(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._restore()


class StopSignals:
    """The first signal asks the process to stop, the second ends it at once.

    That loses nothing: what was not written stays pending and is reclaimed.
    """

    def __init__(self) -> None:
        """From now on a signal ends the process with exit code 0: nothing was read yet."""
        self._came = False
        for number in SIGNALS:
            signal.signal(number, self._end)
        Forks().watch()

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
