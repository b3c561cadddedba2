"""Dispatch: entries in, through routes and slots, to the settler.

Entries with a crash behind them are suspects: each runs alone in its process, so that if it kills
the process again, nobody else is blamed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from time import perf_counter

from headrace.context import HandlerEnvironment
from headrace.entry import Entry
from headrace.worker.handling.endings import UNKNOWN, Endings, timeout_of
from headrace.worker.handling.run_queue import RunQueue
from headrace.worker.handling.slot import Slot
from headrace.worker.handling.threads import HandlerThread
from headrace.worker.metrics import Metrics
from headrace.worker.routes import Route, Routes
from headrace.worker.settling.decision import DUPLICATE, Decision, Policy
from headrace.worker.settling.settler import Settler

logger = logging.getLogger("headrace.worker")

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
        self.endings = Endings(settler, policy)
        self.metrics = metrics
        self.queue = RunQueue()
        self.suspects: deque[tuple[Route, Entry]] = deque()
        self.suspects_waiting = asyncio.Event()
        self._slots_idle = asyncio.Event()
        self._paused_at = 0.0
        self.on_resume: Callable[[], None] = lambda: None
        """Called when the slots may begin again."""
        self.left_threads: list[HandlerThread] = []
        self.left_tasks: list[asyncio.Task[None]] = []
        self.slots = [self._slot(number, self.queue) for number in range(concurrency)]
        self._solo_queue = RunQueue()
        self.slots.append(self._slot(concurrency, self._solo_queue))

    def accept(self, entries: list[Entry]) -> None:
        """Queue entries just delivered; what needs no handler is settled at once."""
        if not entries:
            return
        work, find = self.queue.work, self.routes.find
        self.metrics.delivered(entries[0].id, entries[-1].id, len(entries))
        for entry in entries:
            route = find(entry.fields)
            if route is None:
                self.endings.unknown(entry)
            elif entry.record.crashes:
                self._suspect(route, entry)
            elif route.handler.linger:
                self._linger(route, entry)
            elif route.handler.is_batch:
                if not len(route.waiting) % route.handler.max_size:
                    work.append((route, None))
                route.waiting.append(entry)
            else:
                work.append((route, entry))
        if work:
            self.queue.wake()
        else:
            self.settler.flush_soon()

    def _linger(self, route: Route, entry: Entry) -> None:
        """Let a batch wait for more events, until it is full or its time is over."""
        route.waiting.append(entry)
        if not len(route.waiting) % route.handler.max_size:
            self._batch_is_due(route)
        elif route.lingering is None:
            loop = asyncio.get_running_loop()
            route.lingering = loop.call_later(route.handler.linger, self._batch_is_due, route)

    def _batch_is_due(self, route: Route) -> None:
        if route.lingering is not None:
            route.lingering.cancel()
            route.lingering = None
        self.queue.work.append((route, None))
        self.queue.wake()

    def end_lingering(self) -> None:
        """No event comes before some leave: let no batch wait for more."""
        for route in self.routes.all:
            if route.lingering is not None:
                self._batch_is_due(route)

    def settle_duplicate(self, entry: Entry) -> None:
        """Settle an entry whose event was handled before, under its handler's label."""
        route = self.routes.find(entry.fields)
        self.settle(entry, route.label if route else UNKNOWN, DUPLICATE)
        self.settler.flush_soon()

    def settle(self, entry: Entry, label: str, decision: Decision) -> None:
        self.settler.settle(entry, label, decision)

    @property
    def running(self) -> int:
        """Handlers that run, and a suspect that is about to."""
        return self.queue.running + self._solo_queue.running + len(self._solo_queue.work)

    @property
    def quiet(self) -> bool:
        """Nothing runs and nothing waits."""
        return not (
            self.queue.work
            or self.suspects
            or self.suspects_waiting.is_set()
            or self.running
            or any(route.lingering for route in self.routes.all)
        )

    def unstarted(self) -> list[Entry]:
        """Empty the queues: the entries that no handler has begun."""
        for slot in self.slots:
            if slot.route is not None and slot.thread_batch is not None:
                self.queue.put_back(slot.route, slot.thread_batch.take_back())
        entries = self.take_queued() + [entry for _, entry in self.suspects]
        self.suspects.clear()
        return entries

    def take_queued(self) -> list[Entry]:
        """Empty the queue, but for the suspects."""
        entries = [entry for _, entry in self.queue.work if entry is not None]
        for route in self.routes.all:
            entries += route.waiting
            route.waiting.clear()
            if route.lingering is not None:
                route.lingering.cancel()
                route.lingering = None
        self.queue.work.clear()
        return entries

    def begun(self) -> list[Entry]:
        """What handlers run now."""
        return [entry for slot in self.slots if slot.busy for entry in slot.entries]

    @property
    def paused(self) -> bool:
        """No slot begins anything new: a suspect runs alone, or the worker stops."""
        return self.queue.paused

    def pause(self) -> None:
        """Let no slot begin anything new, until `resume`."""
        self.queue.paused = True
        self._paused_at = perf_counter()

    @property
    def paused_seconds(self) -> float:
        """For how long no slot has begun anything; 0 while they do."""
        return perf_counter() - self._paused_at if self.queue.paused else 0.0

    def resume(self) -> None:
        """Let the slots begin again; a worker that is shutting down stays paused."""
        if not self.env.shutting_down:
            self.queue.paused = False
            self._slots_idle.set()
            self.queue.wake()
            self.on_resume()

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

    async def run_alone(self, route: Route, entry: Entry) -> None:
        """Run a suspect to its end; the caller has paused the others and seen them idle."""
        self._solo_queue.work.append((route, entry))
        self._solo_queue.wake()
        await self.until_idle()

    def sweep(self, now: float | None = None) -> None:
        """Stop handlers that ran too long; replace slots whose handler will not stop."""
        now = perf_counter() if now is None else now
        for index, slot in enumerate(self.slots if self.running else ()):
            route = slot.route
            if route is None:
                continue
            if slot.cancelled_at is None:
                started = slot.started if slot.thread_batch is None else slot.thread_batch.since
                if now - started > route.timeout:
                    self.metrics.counts["timeouts"] += 1
                    slot.cancel(now, started)
                    if not route.handler.is_async:
                        self._leave_thread(slot)
            elif now - slot.cancelled_at > STOP_SECONDS:
                self._replace(index, slot, route)
        self.left_threads = [thread for thread in self.left_threads if thread.alive]
        self.left_tasks = [task for task in self.left_tasks if not task.done()]

    def _replace(self, index: int, slot: Slot, route: Route) -> None:
        logger.error("handler %s ignored its time-out; its slot is replaced", route.label)
        slot.left = True
        slot.queue.running -= 1
        self.left_tasks.append(slot.task)
        for entry in slot.entries:
            entry.lost = True
            self.endings.failed(route, entry, timeout_of(route))
        self.slots[index] = self._slot(slot.number, slot.queue)

    def _slot(self, number: int, queue: RunQueue) -> Slot:
        return Slot(
            number,
            queue=queue,
            settler=self.settler,
            env=self.env,
            endings=self.endings,
            on_idle=self._slot_is_idle,
        )

    def _slot_is_idle(self) -> None:
        self.settler.flush_soon()
        if not self.running:
            self._slots_idle.set()

    def _leave_thread(self, slot: Slot) -> None:
        if (thread := slot.leave_thread()) is not None:
            self.left_threads.append(thread)

    @property
    def left_behind(self) -> int:
        """Handlers that outlived their time-out and still run."""
        return len(self.left_threads) + len(self.left_tasks)

    def _suspect(self, route: Route, entry: Entry) -> None:
        if self.endings.crashed(route, entry):
            return
        self.suspects.append((route, entry))
        self.suspects_waiting.set()

    async def close(self) -> None:
        """Cancel every slot; what still ran is neither settled nor lost, it stays pending."""
        tasks = [slot.task for slot in self.slots]
        for slot in self.slots:
            slot.close()
        _, deaf = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        self.left_tasks += [task for task in deaf if task not in self.left_tasks]
        for slot in self.slots:
            self._leave_thread(slot)
