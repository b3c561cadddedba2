"""A slot runs handlers one after the other; `concurrency` of them share one queue.

A slot is one long-lived task, so an event costs no task of its own: a handler that never suspends
runs through the whole queue in one go. Time-outs come from outside (`Dispatcher.sweep`): a timer
per event would cost more than the event.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from time import perf_counter

from headrace.context import BatchContext, Context, HandlerEnvironment
from headrace.entry import Entry
from headrace.event import readable_fields
from headrace.worker.handling.arguments import decoded, payload_of
from headrace.worker.handling.calls import Calls
from headrace.worker.handling.contexts import is_changed
from headrace.worker.handling.endings import Endings, timeout_of
from headrace.worker.handling.returned import batch_endings
from headrace.worker.handling.run_queue import RunQueue
from headrace.worker.handling.thread_batch import BUDGET_SECONDS, MAX_ENTRIES, ThreadBatch
from headrace.worker.handling.threads import HandlerThread
from headrace.worker.routes import Route
from headrace.worker.settling.settler import Settler

TURN_SECONDS = 0.01
"""How long slots begin events on end before the loop gets a turn: commits, time-outs, SIGTERM."""
COLLECT_SECONDS = 0.01
"""After this the ends of a thread batch no longer wait for the call that still runs."""


class Slot:
    """One unit of concurrency."""

    def __init__(
        self,
        number: int,
        *,
        queue: RunQueue,
        settler: Settler,
        env: HandlerEnvironment,
        endings: Endings,
        on_idle: Callable[[], None],
    ) -> None:
        """`on_idle` is called each time the slot has nothing to do."""
        self.number = number
        self.queue = queue
        self._settler = settler
        self._env = env
        self._endings = endings
        self._on_idle = on_idle
        self.route: Route | None = None
        self.entries: list[Entry] = []
        """What runs now."""
        self.started = 0.0
        self.cancelled_at: float | None = None
        """When its handler was told to stop because it ran too long."""
        self.left = False
        """The handler did not stop: another slot has this one's place."""
        self._closing = False
        self.thread_batch: ThreadBatch | None = None
        """What the thread works through, when it was given more than one entry."""
        self.batch_size = 1
        """How many entries the thread is given at once: doubled while they end in time."""
        self._calls = Calls(f"handler-{number}")
        self.task = asyncio.get_running_loop().create_task(
            self._work(), name=f"slot-{number}", context=self._calls.context.copy()
        )

    @property
    def busy(self) -> bool:
        return self.route is not None

    async def _work(self) -> None:
        queue, work = self.queue, self.queue.work
        while True:
            if not work or queue.paused:
                self._on_idle()
                await self._unless_closing(queue.until_woken())
                continue
            if perf_counter() - queue.turned > TURN_SECONDS:
                queue.ask_for_turn()
                await self._unless_closing(asyncio.sleep(0))
                continue
            route, entry = work.popleft()
            if work and queue.idle and not queue.waking:
                queue.wake_one()
            self.route = route
            queue.running += 1
            if route.handler.is_batch:
                await self._batch(route, [entry] if entry else route.next_batch())
            elif entry is not None:
                if self.batch_size > 1 and work and not route.handler.is_async:
                    await self._thread_batch(route, queue.take_more(route, entry, self.batch_size))
                else:
                    await self._events(route, entry)
            if self.left:
                return
            self.route = None
            queue.running -= 1

    async def _events(self, route: Route, entry: Entry) -> None:  # noqa: PLR0912, the hot path
        """Handle an entry, and what follows it in the queue for the same async handler.

        The hot path: what is the same for all of them is looked up once.
        """
        handler, settler, times = route.handler, self._settler, route.times
        queue, work, context = self.queue, self.queue.work, self._calls.context
        decode, env, wants_context = handler.decode, self._env, handler.wants_context
        function = self._calls.of(handler)
        counts, bounds, cancelling = times.counts, times.bounds, self.task.cancelling
        shortest = bounds[0]
        while True:
            try:
                argument = (
                    decode(payload_of(entry)) if decode else readable_fields(entry.field_map())
                )
            except BaseException as error:
                self._endings.unfit(route, entry, error)
                now = perf_counter()
            else:
                self.entries = [entry]
                self.started = started = perf_counter()
                try:
                    result = await (
                        function(argument, Context(env, entry))
                        if wants_context
                        else function(argument)
                    )
                    if result is not None:
                        await self._calls.look_at(result)
                except BaseException as ending:
                    if self.left:
                        return
                    self._endings.failed(route, entry, self._ending(ending))
                else:
                    if self.left:
                        return
                    route.done.append(entry)
                    if settler.deadline is None:
                        settler.set_deadline()
                now = perf_counter()
                spent = now - started
                counts[0 if spent <= shortest else bisect_left(bounds, spent)] += 1
                times.total += spent
                if cancelling() or self.cancelled_at is not None:
                    await self._uncancel()
                if is_changed(context):
                    self._calls.isolate_if_changed()
                    function = self._calls.of(handler)
                if not handler.is_async:
                    self.batch_size = 2 if spent < BUDGET_SECONDS else 1
                    return
            if not work or work[0][0] is not route or queue.paused:
                return
            if now - queue.turned > TURN_SECONDS:
                return
            following = work.popleft()[1]
            assert following is not None
            entry = following
            if work and queue.idle and not queue.waking:
                queue.wake_one()

    async def _thread_batch(self, route: Route, entries: list[Entry]) -> None:
        """Run a sync handler for several entries in one hop to the thread."""
        handler = route.handler
        valid, arguments = decoded(route, entries, self._endings.unfit)
        if not valid:
            return
        calls = [
            (entry, (argument, Context(self._env, entry)) if handler.wants_context else (argument,))
            for entry, argument in zip(valid, arguments, strict=True)
        ]
        self.entries = valid
        self.started = perf_counter()
        self.thread_batch = batch = ThreadBatch(handler.function, calls, self._calls.context)
        loop = asyncio.get_running_loop()
        collect = loop.call_later(COLLECT_SECONDS, self._collect, route, batch)
        overdue: BaseException | None = None
        try:
            await self._calls.in_thread(batch.work)
        except BaseException as ending:
            overdue = self._ending(ending)
        finally:
            collect.cancel()
        self._collect(route, batch)
        self.thread_batch = None
        in_time = batch.taken == len(valid)
        if overdue is not None:
            for entry in batch.running():
                self._endings.failed(route, entry, overdue)
                route.times.add(perf_counter() - self.started)
            await self._uncancel()
        self.batch_size = (
            min(MAX_ENTRIES, 2 * self.batch_size) if in_time else max(1, self.batch_size // 2)
        )

    def _collect(self, route: Route, batch: ThreadBatch) -> None:
        """Settle what has ended, and let other slots have what is not begun."""
        self.queue.put_back(route, batch.take_back())
        for entry, ending, seconds in batch.take_ended():
            route.times.add(seconds)
            if ending is not None:
                self._endings.failed(route, entry, ending)
            elif entry.lost and self.cancelled_at is not None:
                # It may have returned because `ctx.lost` told it to.
                self._endings.failed(route, entry, timeout_of(route))
            else:
                route.done.append(entry)
        if self._settler.deadline is None:
            self._settler.set_deadline()
        self.entries = batch.running()

    async def _batch(self, route: Route, entries: list[Entry]) -> None:
        handler, settler = route.handler, self._settler
        valid, arguments = decoded(route, entries, self._endings.unfit)
        if not valid:
            return
        self.entries = valid
        self.started = started = perf_counter()
        endings: list[BaseException | None]
        try:
            function = self._calls.of(handler)
            if handler.wants_context:
                outcomes = await function(arguments, BatchContext(self._env, valid))
            else:
                outcomes = await function(arguments)
            if isawaitable(outcomes):
                outcomes = await outcomes
            endings = batch_endings(outcomes, len(valid))
        except BaseException as ending:
            if self.left:
                return
            endings = [self._ending(ending)] * len(valid)
        if self.left:
            return
        for entry, one in zip(valid, endings, strict=True):
            if one is not None:
                self._endings.failed(route, entry, one)
            else:
                route.done.append(entry)
        if settler.deadline is None:
            settler.set_deadline()
        route.times.add((perf_counter() - started) / len(valid), len(valid))
        if self.task.cancelling() or self.cancelled_at is not None:
            await self._uncancel()
        self._calls.isolate_if_changed()

    def _ending(self, ending: BaseException) -> BaseException:
        """What the handler's exception stands for: a time-out of ours, or itself. Raises it when
        the slot itself is to end."""
        kind = type(ending)  # isinstance asks the object, which may fail
        if issubclass(kind, GeneratorExit) and not self._is_current:
            raise ending
        if issubclass(kind, asyncio.CancelledError) and self.cancelled_at is None:
            if self._closing:
                raise ending
        elif self.cancelled_at is not None:
            return timeout_of(self.route).with_traceback(ending.__traceback__)
        return ending

    @property
    def _is_current(self) -> bool:
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:  # no loop runs: the interpreter throws the slot away
            return False

    def cancel(self, now: float, started: float) -> None:
        """Stop the handler: it runs too long, since `started`. A thread cannot be stopped, only
        left behind."""
        route, batch = self.route, self.thread_batch
        assert route is not None
        self.cancelled_at, self.started = now, started
        if not route.handler.is_async:
            if batch is not None:
                self._collect(route, batch)  # what has ended, or has not begun, is not late
            for entry in self.entries:
                entry.lost = True  # all that a thread can be told
        self.task.cancel()

    def close(self) -> None:
        """Stop for good; what still runs stays pending."""
        self._closing = True
        self.task.cancel()

    def leave_thread(self) -> HandlerThread | None:
        """Let go of the thread, which ends after the call it is in; the thread if it is in one."""
        thread = self._calls.leave_thread()
        return thread if self.busy else None

    async def _uncancel(self) -> None:
        """Forget a cancellation that was meant for the handler that ended, by us or by itself; it
        may still be on its way."""
        self.cancelled_at = None
        if self._closing:
            raise asyncio.CancelledError
        while self.task.cancelling():
            self.task.uncancel()
        self.started = math.inf  # nothing runs that could be late
        await self._unless_closing(asyncio.sleep(0))

    async def _unless_closing(self, wait: Awaitable[None]) -> None:
        """Wait. A cancellation meanwhile is a handler's that has ended, unless the slot closes."""
        try:
            await wait
        except asyncio.CancelledError:
            if self._closing:
                raise
            while self.task.cancelling():
                self.task.uncancel()
