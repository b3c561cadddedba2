"""Dispatch: entries in, through routes and slots, to the settler.

Entries with a crash behind them are suspects: each runs alone in its process, so that if it kills
the process again, nobody else is blamed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from time import perf_counter

from headrace.context import HandlerEnvironment
from headrace.entry import Entry
from headrace.worker.handling.slot import Slot, Work, timeout_of
from headrace.worker.handling.thread_batch import BUDGET_SECONDS
from headrace.worker.handling.threads import HandlerThread
from headrace.worker.metrics import Metrics
from headrace.worker.routes import Route, Routes
from headrace.worker.settling.decision import (
    DUPLICATE,
    Decision,
    Policy,
    crashed_too_often,
    dead_letter,
    decide,
    unknown_type,
)
from headrace.worker.settling.settler import Settler

logger = logging.getLogger("headrace.worker")

UNKNOWN = "unknown"
STOP_SECONDS = 1.0
"""How long a handler may take to stop after its time-out before its slot is replaced."""


class Dispatcher:
    """The queue, the slots, and the rules by which entries reach them."""

    def __init__(
        self,
        *,
        routes: Routes,
        settler: Settler,
        env: HandlerEnvironment,
        policy: Policy,
        metrics: Metrics,
        concurrency: int,
    ) -> None:
        self.routes = routes
        self.settler = settler
        self.env = env
        self.policy = policy
        self.metrics = metrics
        self.queue: deque[Work] = deque()
        self.suspects: deque[Work] = deque()
        self.suspects_waiting = asyncio.Event()
        self._slots_idle = asyncio.Event()
        self.paused = False
        """No slot starts anything new."""
        self.closing = False
        self.waking = False
        """A slot was woken and has not run yet."""
        self.idle: list[Slot] = []
        self.left_threads: list[HandlerThread] = []
        self.left_tasks: list[asyncio.Task[None]] = []
        self.slots = [Slot(self, number, self.queue) for number in range(concurrency)]
        self.slots.append(Slot(self, concurrency, deque(), solo=True))

    def accept(self, entries: list[Entry]) -> None:
        """Queue entries just delivered; what needs no handler is settled at once."""
        if not entries:
            return
        queue, find = self.queue, self.routes.find
        self.metrics.delivered(entries[0].id, entries[-1].id, len(entries))
        for entry in entries:
            route = find(entry.fields)
            if route is None:
                self.settle(entry, UNKNOWN, unknown_type(entry, self.policy))
            elif entry.record.crashes:
                self._suspect(route, entry)
            elif route.handler.is_batch:
                if not len(route.waiting) % route.handler.max_size:
                    queue.append((route, None))
                route.waiting.append(entry)
            else:
                queue.append((route, entry))
        if queue and self.idle and not self.waking:
            self.wake_one()
        elif not queue:
            self.settler.flush_soon()

    def put_back(self, route: Route, entries: list[Entry]) -> None:
        """Put entries that a slot took and did not begin in front of the queue again."""
        if entries:
            self.queue.extendleft((route, entry) for entry in reversed(entries))
            if self.idle and not self.waking and not self.paused:
                self.wake_one()

    def settle_duplicate(self, entry: Entry) -> None:
        """Settle an entry whose event was handled before, under its handler's label."""
        route = self.routes.find(entry.fields)
        self.settle(entry, route.label if route else UNKNOWN, DUPLICATE)
        self.settler.flush_soon()

    def batch_of(self, route: Route) -> list[Entry]:
        """The next batch of a route: at most its max_size events."""
        waiting = route.waiting
        return [waiting.popleft() for _ in range(min(len(waiting), route.handler.max_size))]

    def settle(self, entry: Entry, label: str, decision: Decision) -> None:
        self.settler.settle(entry, label, decision)

    def wake_one(self) -> None:
        """Wake one idle slot; it wakes the next if it finds more than it takes."""
        slot = self.idle.pop()
        if slot.waiter is not None and not slot.waiter.done():
            self.waking = True
            slot.waiter.set_result(None)

    def slot_is_idle(self, slot: Slot) -> None:
        """Called by a slot that found nothing to do."""
        if not slot.solo:
            self.idle.append(slot)
        self.settler.flush_soon()
        if not self.running:
            self._slots_idle.set()

    @property
    def running(self) -> int:
        return sum(slot.busy for slot in self.slots)

    @property
    def quiet(self) -> bool:
        """Nothing runs and nothing waits."""
        return not (self.queue or self.suspects or self.suspects_waiting.is_set() or self.running)

    def unstarted(self) -> list[Entry]:
        """Empty the queues: the entries that no handler has begun."""
        for slot in self.slots:
            if slot.route is not None and slot.slice is not None:
                self.put_back(slot.route, slot.slice.take_back())
        entries = [entry for _, entry in (*self.queue, *self.suspects) if entry is not None]
        for route in self.routes.all:
            entries += route.waiting
            route.waiting.clear()
        self.queue.clear()
        self.suspects.clear()
        return entries

    def begun(self) -> list[Entry]:
        """What handlers run now."""
        return [entry for slot in self.slots if slot.busy for entry in slot.entries]

    async def until_idle(self) -> None:
        """Wait until no handler runs; the sweep sees to it that this ends."""
        while self.running:
            self._slots_idle.clear()
            await self._slots_idle.wait()

    async def until_quiet(self) -> None:
        """Wait until nothing runs and nothing waits."""
        while not self.quiet:
            self._slots_idle.clear()
            await self._slots_idle.wait()

    def start_alone(self, route: Route, entry: Entry) -> None:
        """Run a suspect; the caller has paused the others and seen them idle."""
        solo = next(slot for slot in self.slots if slot.solo)
        solo.queue.append((route, entry))
        if solo.waiter is not None and not solo.waiter.done():
            # Busy from now on, not from its next turn; a sweep may come first.
            solo.route, solo.started = route, perf_counter()
            solo.waiter.set_result(None)

    def resume(self) -> None:
        """Let the slots start again."""
        self.paused = False
        self._slots_idle.set()
        if self.queue and self.idle and not self.waking:
            self.wake_one()

    def sweep(self, now: float | None = None) -> None:
        """Stop handlers that ran too long; replace slots whose handler will not stop."""
        now = perf_counter() if now is None else now
        for slot in list(self.slots):
            route = slot.route
            if route is None:
                continue
            if slot.cancelled_at is None:
                started = slot.started
                if slot.slice is not None:
                    started = slot.slice.since
                    if now - started > BUDGET_SECONDS:
                        self.put_back(route, slot.slice.take_back())
                if now - started > route.timeout:
                    self.metrics.counts["timeouts"] += 1
                    slot.cancel(now)
            elif now - slot.cancelled_at > STOP_SECONDS:
                self._replace(slot, route)
        self.left_threads = [thread for thread in self.left_threads if thread.alive]
        self.left_tasks = [task for task in self.left_tasks if not task.done()]

    def _replace(self, slot: Slot, route: Route) -> None:
        logger.error("handler %s ignored its time-out; its slot is replaced", route.label)
        slot.left = True
        self.left_tasks.append(slot.task)
        for entry in slot.entries:
            entry.lost = True
            self.settle(entry, route.label, decide(entry, timeout_of(route), self.policy))
        index = self.slots.index(slot)
        self.slots[index] = Slot(self, slot.number, slot.queue, solo=slot.solo)

    @property
    def left_behind(self) -> int:
        """Handlers that outlived their time-out and still run."""
        return len(self.left_threads) + len(self.left_tasks)

    def _suspect(self, route: Route, entry: Entry) -> None:
        if crashed_too_often(entry, self.policy):
            killed = entry.record.killed
            reason = f"the worker process died {killed} times while it ran this event alone"
            self.settle(entry, route.label, dead_letter(reason, "Crash"))
            return
        self.suspects.append((route, entry))
        self.suspects_waiting.set()

    async def close(self) -> None:
        """Cancel every slot; what still ran is neither settled nor lost, it stays pending."""
        self.closing = True
        tasks = [slot.task for slot in self.slots]
        for task in tasks:
            task.cancel()
        _, deaf = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        self.left_tasks += [task for task in deaf if task not in self.left_tasks]
        for slot in self.slots:
            slot.leave_thread()
