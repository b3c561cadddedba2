"""Threads for sync handlers: one per slot, and one that can be left behind.

concurrent.futures joins its threads when the process ends, so a handler that never returns would
hold up every shutdown; these are daemons.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Returned = tuple[Any, BaseException | None]
"""What a call returned, or what it raised: futures and tasks treat some exceptions as their own."""
Call = tuple[Callable[[], Any], asyncio.Future[Returned]]


class HandlerThread:
    """Runs calls one after the other, each resolving its future in the loop that asked."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], Any]) -> asyncio.Future[Returned]:
        future: asyncio.Future[Returned] = self._loop.create_future()
        self._calls.put((call, future))
        return future

    def leave(self) -> None:
        """Let the thread end after the call it is in; what that returns is dropped."""
        self._calls.put(None)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            call, future = item
            returned: Returned
            try:
                returned = call(), None
            except BaseException as caught:
                returned = None, caught
            try:
                self._loop.call_soon_threadsafe(_resolve, future, returned)
            except RuntimeError:
                return  # the loop is closed: the worker has ended


def _resolve(future: asyncio.Future[Returned], returned: Returned) -> None:
    if not future.done():
        future.set_result(returned)
