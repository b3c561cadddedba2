"""A handler as the worker runs it: with its time-out resolved, its waiting events, its figures."""

from __future__ import annotations

import asyncio
from collections import deque

from headrace.app import App
from headrace.entry import Entry
from headrace.event import TYPE, VERSION
from headrace.handler import Handler
from headrace.worker.metrics import HANDLING_SECONDS, Distribution, Metrics


class Route:
    """One per handler and process."""

    __slots__ = ("done", "handler", "label", "lingering", "timeout", "times", "waiting")

    def __init__(self, handler: Handler, timeout: float, metrics: Metrics) -> None:
        self.handler = handler
        self.label = handler.label
        self.timeout = handler.timeout or timeout
        self.done: list[Entry] = []
        """What its handler ended well; the settler empties it."""
        self.waiting: deque[Entry] = deque()
        """A batch handler's events that no slot has taken."""
        self.lingering: asyncio.TimerHandle | None = None
        """Runs out when a batch that is not full shall wait no longer."""
        self.times = metrics.handling.setdefault(handler.label, Distribution(HANDLING_SECONDS))

    def next_batch(self) -> list[Entry]:
        """Take what waits: at most the handler's max_size events."""
        waiting = self.waiting
        return [waiting.popleft() for _ in range(min(len(waiting), self.handler.max_size))]


class Routes:
    """Finds the route of an entry by its own bytes, without decoding them."""

    def __init__(self, app: App, timeout: float, metrics: Metrics) -> None:
        self.all = [Route(handler, timeout, metrics) for handler in app.handlers]
        self._by_wire = {
            (route.handler.type.encode(), b"%d" % route.handler.version): route
            for route in self.all
            if route.handler.decode is not None
        }
        self._raw = next((route for route in self.all if route.handler.decode is None), None)

    def find(self, fields: list[bytes]) -> Route | None:
        """The route for these fields; a missing version counts as 1. None: nobody takes it."""
        if len(fields) > 3 and fields[0] == TYPE and fields[2] == VERSION:
            return self._by_wire.get((fields[1], fields[3]), self._raw)
        type_, version = None, b"1"
        for index in range(0, len(fields), 2):
            if fields[index] == TYPE:
                type_ = fields[index + 1]
            elif fields[index] == VERSION:
                version = fields[index + 1]
        if type_ is None:
            return self._raw
        return self._by_wire.get((type_, version), self._raw)
