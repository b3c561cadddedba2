"""A slot runs handlers one after the other; `concurrency` of them share one queue.

A slot is one long-lived task, so an event costs no task of its own: a handler that never suspends
runs through the whole queue in one go. Time-outs come from outside (`Dispatcher.sweep`): a timer
per event would cost more than the event.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from time import perf_counter
from typing import Any

from headrace.context import BatchContext, Context, HandlerEnvironment
from headrace.entry import Entry
from headrace.event import PAYLOAD, readable_fields
from headrace.handler import Function, Handler
from headrace.handler import invalid_payload as payload_reason
from headrace.outcomes import returned_ending
from headrace.worker.handling.run_queue import RunQueue
from headrace.worker.handling.thread_batch import BUDGET_SECONDS, MAX_ENTRIES, ThreadBatch
from headrace.worker.handling.threads import HandlerThread
from headrace.worker.routes import Route
from headrace.worker.settling.decision import HandlerTimeout, Policy, decide, invalid_payload
from headrace.worker.settling.settler import Settler


class Slot:
    """One unit of concurrency."""

    def __init__(
        self,
        number: int,
        *,
        queue: RunQueue,
        settler: Settler,
        env: HandlerEnvironment,
        policy: Policy,
        on_idle: Callable[[], None],
    ) -> None:
        """`on_idle` is called each time the slot has nothing to do."""
        self.number = number
        self.queue = queue
        self._settler = settler
        self._env = env
        self._policy = policy
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
        self._thread: HandlerThread | None = None
        self.thread_batch: ThreadBatch | None = None
        """What the thread works through, when it was given more than one entry."""
        self.batch_size = 1
        """How many entries the thread is given at once: doubled while they end in time."""
        self.task = asyncio.get_running_loop().create_task(self._work(), name=f"slot-{number}")

    @property
    def busy(self) -> bool:
        return self.route is not None

    async def _work(self) -> None:
        queue, work = self.queue, self.queue.work
        while not self.left:
            if not work or queue.paused:
                self._on_idle()
                await queue.until_woken()
                continue
            route, entry = work.popleft()
            if work and queue.idle and not queue.waking:
                queue.wake_one()
            self.route = route
            if route.handler.is_batch:
                await self._batch(route, [entry] if entry else route.next_batch())
            elif entry is not None:
                if self.batch_size > 1 and work and not route.handler.is_async:
                    await self._thread_batch(route, self._same_route(route, entry))
                else:
                    await self._events(route, entry)
            self.route = None

    async def _events(self, route: Route, entry: Entry) -> None:
        """Handle an entry, and what follows it in the queue for the same async handler.

        The hot path: what is the same for all of them is looked up once.
        """
        handler, settler, times = route.handler, self._settler, route.times
        queue, work = self.queue, self.queue.work
        decode, env, wants_context = handler.decode, self._env, handler.wants_context
        function = self._callable(handler)
        counts, bounds = times.counts, times.bounds
        shortest = bounds[0]
        while True:
            try:
                argument = (
                    decode(payload_of(entry)) if decode else readable_fields(entry.field_map())
                )
            except Exception as error:
                settler.settle(entry, route.label, invalid_payload(payload_reason(error)))
            else:
                self.entries = [entry]
                self.started = started = perf_counter()
                try:
                    result = await (
                        function(argument, Context(env, entry))
                        if wants_context
                        else function(argument)
                    )
                    if result is not None and (wrong := returned_ending(result)) is not None:
                        raise wrong  # returned instead of raised: acking would lose the event
                except BaseException as ending:
                    if self.left:
                        return
                    decision = decide(entry, self._ending(ending), self._policy)
                    settler.settle(entry, route.label, decision)
                else:
                    if self.left:
                        return
                    route.done.append(entry)
                if self.cancelled_at is not None:
                    self._uncancel()
                spent = perf_counter() - started
                counts[0 if spent <= shortest else bisect_left(bounds, spent)] += 1
                times.total += spent
                if not handler.is_async:
                    self.batch_size = 2 if spent < BUDGET_SECONDS else 1
                    return
            if not work or work[0][0] is not route or queue.paused:
                return
            following = work.popleft()[1]
            assert following is not None
            entry = following
            if work and queue.idle and not queue.waking:
                queue.wake_one()

    async def _thread_batch(self, route: Route, entries: list[Entry]) -> None:
        """Run a sync handler for several entries in one hop to the thread."""
        handler = route.handler
        valid, arguments = self._decode(route, entries)
        if not valid:
            return
        calls = [
            (entry, (argument, Context(self._env, entry)) if handler.wants_context else (argument,))
            for entry, argument in zip(valid, arguments, strict=True)
        ]
        self.entries = valid
        self.thread_batch = batch = ThreadBatch(handler.function, calls)
        overdue: BaseException | None = None
        try:
            await self._in_thread(batch.work)
        except BaseException as ending:
            overdue = self._ending(ending)
        self.queue.put_back(route, batch.take_back())
        self.thread_batch = None
        running = batch.running() if overdue else ()
        times = route.times
        for entry, ended, seconds in batch.ended:
            times.add(seconds)
            if ended is not None:
                self._settle(route, entry, ended)
            else:
                route.done.append(entry)
        for entry in running:
            assert overdue is not None
            self._settle(route, entry, overdue)
        if self.cancelled_at is not None:
            self._uncancel()
        in_time = len(batch.ended) == len(valid)
        self.batch_size = (
            min(MAX_ENTRIES, 2 * self.batch_size) if in_time else max(1, self.batch_size // 2)
        )

    def _same_route(self, route: Route, first: Entry) -> list[Entry]:
        """`first` and what follows it in the queue for the same handler, at most `batch_size`."""
        entries, work = [first], self.queue.work
        while work and len(entries) < self.batch_size and work[0][0] is route:
            entry = work.popleft()[1]
            assert entry is not None
            entries.append(entry)
        return entries

    async def _batch(self, route: Route, entries: list[Entry]) -> None:
        handler = route.handler
        valid, arguments = self._decode(route, entries)
        if not valid:
            return
        self.entries = valid
        self.started = started = perf_counter()
        try:
            function = self._callable(handler)
            if handler.wants_context:
                outcomes = await function(arguments, BatchContext(self._env, valid))
            else:
                outcomes = await function(arguments)
            endings = batch_endings(outcomes, len(valid))
        except BaseException as ending:
            if self.left:
                return
            endings = [self._ending(ending)] * len(valid)
        if self.left:
            return
        if self.cancelled_at is not None:
            self._uncancel()
        for entry, one in zip(valid, endings, strict=True):
            if one is not None:
                self._settle(route, entry, one)
            else:
                route.done.append(entry)
        route.times.add((perf_counter() - started) / len(valid), len(valid))

    def _decode(self, route: Route, entries: list[Entry]) -> tuple[list[Entry], list[Any]]:
        """Those entries whose payload fits, and their arguments; the others are settled."""
        decode = route.handler.decode
        valid, arguments = [], []
        for entry in entries:
            try:
                arguments.append(
                    decode(payload_of(entry)) if decode else readable_fields(entry.field_map())
                )
            except Exception as error:
                reason = payload_reason(error)
                self._settler.settle(entry, route.label, invalid_payload(reason))
            else:
                valid.append(entry)
        return valid, arguments

    def _settle(self, route: Route, entry: Entry, ending: BaseException) -> None:
        self._settler.settle(entry, route.label, decide(entry, ending, self._policy))

    def _callable(self, handler: Handler) -> Callable[..., Awaitable[Any]]:
        """The handler's function; a sync one behind its thread."""
        return handler.function if handler.is_async else partial(self._in_thread, handler.function)

    async def _in_thread(self, function: Function, *arguments: Any) -> Any:
        if self._thread is None:
            self._thread = HandlerThread(f"handler-{self.number}")
        result = await self._thread.run(partial(function, *arguments))
        # A plain function around an async one: the event is handled when that has run.
        return await result if isawaitable(result) else result

    def _ending(self, ending: BaseException) -> BaseException:
        """What the handler's exception stands for: a time-out of ours, or itself."""
        if isinstance(ending, GeneratorExit) or (
            isinstance(ending, asyncio.CancelledError)
            and self.cancelled_at is None
            and self._closing
        ):
            raise ending
        if self.cancelled_at is not None:
            return timeout_of(self.route)
        return ending

    def cancel(self, now: float) -> None:
        """Stop the handler: it ran too long. A thread cannot be stopped, only left behind."""
        self.cancelled_at = now
        if self.route and not self.route.handler.is_async:
            for entry in self.entries:
                entry.lost = True  # all that a thread can be told
        self.task.cancel()

    def close(self) -> None:
        """Stop for good; what still runs stays pending."""
        self._closing = True
        self.task.cancel()

    def leave_thread(self) -> HandlerThread | None:
        """Let go of the thread, which ends after the call it is in; the thread if it is in one."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.leave()
        return thread if self.busy else None

    def _uncancel(self) -> None:
        self.cancelled_at = None
        self.task.uncancel()


def payload_of(entry: Entry) -> bytes:
    """The payload field; the producer's order (type, version, payload) is looked at first."""
    fields = entry.fields
    if len(fields) > 5 and fields[4] == PAYLOAD:
        return fields[5]
    return entry.field(PAYLOAD) or b""


def timeout_of(route: Route | None) -> HandlerTimeout:
    seconds = route.timeout if route else 0.0
    return HandlerTimeout(f"the handler ran longer than its time-out of {seconds:g} s")


def batch_endings(outcomes: Any, size: int) -> list[BaseException | None]:
    """What a batch handler returned -> one ending per event. Raises TypeError for anything else."""
    if outcomes is None:
        return [None] * size
    if (all_of_them := returned_ending(outcomes)) is not None:
        raise all_of_them
    if not isinstance(outcomes, list) or len(outcomes) != size:
        raise TypeError(f"a batch handler returns None or a list of {size} outcomes, one per event")
    endings = []
    for one in outcomes:
        ending = returned_ending(one)
        if one is not None and ending is None:
            raise TypeError(f"{one!r} is no outcome; use None, Retry, Reject, Skip or an exception")
        endings.append(ending)
    return endings
