"""One worker process of the harness: the worker's own parts, with a group in memory behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from headrace.app import App
from headrace.context import HandlerEnvironment
from headrace.entry import Entry
from headrace.handler import Handler
from headrace.streams.commit import Packed
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys, StreamKeys
from headrace.streams.settlement import Settlement, Verdicts
from headrace.testing.memory import Group
from headrace.worker.group_guard import GroupGuard
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.handling.suspects import Suspects
from headrace.worker.handling.tracing import trace_handlers
from headrace.worker.held import Holding
from headrace.worker.intake.deduplication import Deduplication
from headrace.worker.metrics import Metrics
from headrace.worker.routes import Route, Routes
from headrace.worker.settling.decision import Decision, Policy
from headrace.worker.settling.flush import Flush
from headrace.worker.settling.settler import Settler
from headrace_api.v1alpha1 import Deduplicate

TICK_SECONDS = 0.01


class Crash(BaseException):
    """Raise it in a handler, or in what it calls: here the worker process dies."""


class Died(Exception):
    """What the rest of a dead process sees; nothing of it is ever written."""


OnEnd = Callable[[Entry, Decision | None, bool], None]
"""Called when an entry's end is written (or refused: the last argument)."""


class _Commits:
    """Writes to the group in memory, as long as the process lives."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def pack(self, acks: Sequence[bytes], settlements: Sequence[Settlement]) -> list[Packed]:
        return [Packed(Source.MAIN, [], [], acks, settlements)]

    async def send(self, packed: Sequence[Packed]) -> Verdicts:
        process = self._process
        if process.dies_before_commit or process.dead.is_set():
            process.die()
            await asyncio.Event().wait()  # a dead process gets no answer
        (one,) = packed
        return process.group.commit(process.consumer, one.acks, one.settlements)


@dataclass(slots=True)
class _Settler(Settler):
    on_end: OnEnd = lambda entry, decision, refused: None

    def finish(self, flush: Flush, refused: Verdicts) -> None:
        Settler.finish(self, flush, refused)
        for _, entries in flush.done:
            for entry in entries:
                self.on_end(entry, None, (entry.source, entry.id) in refused)
        for entry, _, decision in flush.decided:
            self.on_end(entry, decision, (entry.source, entry.id) in refused)


async def _no_group_is_lost() -> None:
    """The group in memory is always there."""


class _Marks:
    """Stands where the deduplication's client would, and answers from the group in memory."""

    def __init__(self, group: Group, keys: GroupKeys) -> None:
        self._group = group
        self._prefix = keys.seen_prefix.encode()

    async def execute_command(self, _: bytes, *marks: bytes) -> list[bytes | None]:
        return [self._group.seen_by(mark.removeprefix(self._prefix)) for mark in marks]


class Process:
    """Lives from `start` to `end`, or until it dies."""

    def __init__(
        self,
        app: App,
        group: Group,
        env: HandlerEnvironment,
        policy: Policy,
        *,
        handler_timeout: float,
        concurrency: int,
        deduplicate: Deduplicate | None = None,
        on_end: OnEnd,
    ) -> None:
        self.group = group
        self.consumer = env.consumer
        self.dead = asyncio.Event()
        self.dies_before_commit = False
        self.holding = Holding()
        self._loop = asyncio.get_running_loop()
        metrics = Metrics()
        routes = Routes(app, handler_timeout, metrics)
        trace_handlers(routes.all, env)
        for route in routes.all:
            route.handler = self._mortal(route.handler)
        self.settler = _Settler(
            _Commits(self),
            self.holding,
            routes.all,
            metrics,
            policy,
            GroupGuard(_no_group_is_lost),
            window_ms=round(deduplicate.window.total_seconds() * 1000) if deduplicate else 0,
            on_end=on_end,
        )
        self.dispatcher = Dispatcher(
            routes=routes,
            settler=self.settler,
            env=env,
            policy=policy,
            metrics=metrics,
            concurrency=concurrency,
        )
        suspects = Suspects(
            self._mark_solo,
            dispatcher=self.dispatcher,
            settler=self.settler,
            holding=self.holding,
        )
        loops = [self.settler.run(), suspects.run(), self._sweep(routes.all)]
        self._deduplication: Deduplication | None = None
        if deduplicate is not None:
            keys = StreamKeys(env.stream).for_group(env.group)
            marks: Any = _Marks(group, keys)
            self._deduplication = Deduplication(
                marks,
                keys,
                field=deduplicate.field,
                deliver=self.dispatcher.accept,
                duplicate=self.dispatcher.settle_duplicate,
                metrics=metrics,
            )
            self.holding.on_drop = self._deduplication.forget
            loops.append(self._deduplication.run())
        self._tasks = [asyncio.create_task(one) for one in loops]

    async def run(self, entries: list[Entry]) -> None:
        """Handle entries until nothing runs and all is written, or until the process dies."""
        self.holding.add(entries)
        if self._deduplication is not None:
            self._deduplication.admit_later(entries)
        else:
            self.dispatcher.accept(entries)
        await self._until_dead_or(self._quiet())
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()  # a defect of ours shows in the test

    async def _quiet(self) -> None:
        while True:
            await self.dispatcher.until_quiet()
            await self.settler.drain()
            await asyncio.sleep(0)
            waits = self._deduplication is not None and not self._deduplication.quiet
            if self.dispatcher.quiet and self.settler.is_empty and not waits:
                return

    async def _until_dead_or(self, work: Coroutine[Any, Any, None]) -> None:
        waits = [asyncio.ensure_future(work), asyncio.ensure_future(self.dead.wait())]
        await asyncio.wait([*waits, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    def die(self) -> None:
        """From here on nothing is written; what is held stays pending. Safe from any thread."""
        self._loop.call_soon_threadsafe(self.dead.set)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self.dispatcher.close(), return_exceptions=True)

    async def _mark_solo(self, entry: Entry) -> bool:
        return self.group.mark_solo(self.consumer, entry.id, entry.delivery_count)

    async def _sweep(self, routes: list[Route]) -> None:
        while True:
            self.dispatcher.sweep()
            await asyncio.sleep(TICK_SECONDS)

    def _mortal(self, handler: Handler) -> Handler:
        """The handler, dying by Crash."""
        function = handler.function

        @wraps(function)
        async def run(*arguments: Any) -> Any:
            try:
                return await function(*arguments)
            except Crash:
                self.die()
                await asyncio.Event().wait()

        @wraps(function)
        def run_in_thread(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except Crash:
                self.die()
                raise Died from None

        return replace(handler, function=run if handler.is_async else run_in_thread)
