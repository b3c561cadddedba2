"""A slot runs handlers one after the other; `concurrency` of them share one queue.

A slot is one long-lived task, so an event costs no task of its own: a handler that never suspends
runs through the whole queue in one go. Time-outs come from outside (`Lanes.sweep`), because a timer
per event would cost more than the event.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any

from headrace.context import BatchContext, Context
from headrace.entry import Entry
from headrace.event import PAYLOAD, readable_fields
from headrace.handler import invalid_payload as payload_reason
from headrace.worker.decision import (
    ACK,
    Decision,
    HandlerTimeout,
    decide,
    dead_letter,
    invalid_payload,
)
from headrace.worker.route import Route
from headrace.worker.threads import HandlerThread

if TYPE_CHECKING:
    from headrace.worker.lanes import Lanes

Work = tuple[Route, Entry | None]
"""A batch route's work names no entry: the slot takes what waits at the route."""


class Slot:
    """One unit of concurrency."""

    def __init__(self, lanes: Lanes, number: int, queue: deque[Work], *, solo: bool = False) -> None:
        self.lanes = lanes
        self.number = number
        self.queue = queue
        self.solo = solo
        self.route: Route | None = None
        self.entries: list[Entry] = []
        """What runs now."""
        self.started = 0.0
        self.cancelled_at: float | None = None
        """When its handler was told to stop because it ran too long."""
        self.left = False
        """The handler did not stop: another slot has this one's place."""
        self.thread: HandlerThread | None = None
        self.waiter: asyncio.Future[None] | None = None
        self.task = asyncio.get_running_loop().create_task(self._work(), name=f"slot-{number}")

    @property
    def busy(self) -> bool:
        return self.route is not None

    async def _work(self) -> None:
        lanes, queue = self.lanes, self.queue
        while not self.left:
            if not queue or (lanes.paused and not self.solo):
                self.waiter = asyncio.get_running_loop().create_future()
                lanes.slot_is_idle(self)
                await self.waiter
                continue
            route, entry = queue.popleft()
            if queue and lanes.idle and not lanes.waking:
                lanes.wake_one()
            handler = route.handler
            self.route = route
            if handler.is_batch:
                await self._batch(route, [entry] if entry is not None else lanes.batch_of(route))
                self.route = None
                continue
            assert entry is not None
            self.entries = [entry]
            self.started = started = perf_counter()
            fields = entry.fields
            try:
                if handler.decode is None:
                    argument: Any = readable_fields(entry.field_map())
                else:
                    payload = fields[5] if len(fields) > 5 and fields[4] == PAYLOAD else None
                    if payload is None:
                        payload = entry.field(PAYLOAD) or b""
                    argument = handler.decode(payload)
            except Exception as error:
                lanes.settle(entry, route, invalid_payload(payload_reason(error)))
                self.route = None
                continue
            try:
                if handler.wants_context:
                    result = handler.function(argument, Context(lanes.around, entry))
                else:
                    result = handler.function(argument)
                if handler.is_async:
                    await result
            except BaseException as ending:
                if self.left:
                    return
                lanes.settle(entry, route, self._failed(entry, ending))
            else:
                if self.left:
                    return
                if entry.plain and entry.outputs is None:
                    route.done.append(entry)
                else:
                    lanes.settle(entry, route, ACK)
            times, spent = route.times, perf_counter() - started
            times.counts[bisect_left(times.bounds, spent)] += 1
            times.total += spent
            self.route = None
