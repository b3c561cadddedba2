"""The worker at work: what runs, in which order it starts and stops, and whether it is well."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

from headrace.app import App
from headrace.entry import Entry
from headrace.streams import consumers
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.outages import is_passing
from headrace.worker.config import WorkerSettings
from headrace.worker.handling.tracing import trace_handlers
from headrace.worker.metrics import Metrics
from headrace.worker.outage import sentence
from headrace.worker.parts import Parts
from headrace.worker.tasks import cancel

logger = logging.getLogger("headrace.worker")

TICK_SECONDS = 0.25
SETTLE_SECONDS = 5.0
"""What shutdown gives to writing outcomes, after the handlers have had their time."""
REPEAT_SECONDS = 0.2
"""Between two tries to give back what is held, while Redis fails over."""
CLAIM_SECONDS = 1.0
"""How long shutdown waits for a claim under way."""
WEDGED_SECONDS = 60.0
"""How much longer than a hung handler a read loop may stand still: reads end by themselves."""
AWAY_SECONDS = 10.0
"""An outage shorter than this does not make a worker unready: readiness must not flap."""


class Runtime(Parts):
    """One worker of one group. `start`, then either `read` or claims of one's own, then `stop`.

    For a `custom` group, whose own consumers know nothing of parked entries, `stop` gives nothing
    back. `deliver`: see Parts.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        app: App,
        metrics: Metrics,
        *,
        custom: bool = False,
        deliver: Callable[[Parts, list[Entry]], None] | None = None,
    ) -> None:
        super().__init__(settings, app, metrics, deliver=deliver)
        self._custom = custom
        self._tasks: list[asyncio.Task[None]] = []
        self._reading: asyncio.Task[None] | None = None
        self.failed = asyncio.Event()
        """Set when a part of the worker died of a defect; the process should end."""
        self._gauges()

    def start(self) -> None:
        """Start the tasks that settle, sweep and renew; nothing is read or claimed yet."""
        trace_handlers(self.routes.all, self.env)  # the lifespan may have set a tracer provider
        self.renewer.start()
        self._spawn(self.settler.run(), "settler")
        self._spawn(self.suspects.run(), "suspects")
        self._spawn(self._ticker(), "ticker")
        if self.deduplication is not None:
            self._spawn(self.deduplication.run(), "deduplication")

    def read(self) -> None:
        """Start reading, claiming due entries and reclaiming."""
        self._reading = asyncio.create_task(self.reader.run(), name="reader")
        self._reading.add_done_callback(self._ended)
        self._spawn(self.claims.run(), "upkeep")

    async def stop(self, handler_seconds: float) -> None:
        """Hand back what is not started, let the rest finish, write it, remove the consumer.

        Loses nothing at whatever point it is cut short: what was not written stays pending.
        """
        self.env.shutting_down = True
        self.dispatcher.pause()
        await self._stop_claiming()
        await self._stop_reading()
        self.settler.send_now()
        with contextlib.suppress(*REDIS_ERRORS):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.claims.hand_back(self._unstarted())
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(handler_seconds):
                await self.dispatcher.until_idle()
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.settler.drain()
                begun = {*self.dispatcher.begun(), *self.settler.postponed.entries}
                await self.dispatcher.close()
                await self._give_back(begun)
        except REDIS_ERRORS as error:
            logger.warning(
                "left %d entries to be reclaimed: %s", len(self.holding), sentence(error)
            )
        await asyncio.gather(cancel(self._tasks), self.dispatcher.close())
        self.renewer.stop()
        self.tick = math.inf
        for client in (self.control, self.read_client, self.handlers_client, self.commits):
            with contextlib.suppress(*REDIS_ERRORS):
                await client.aclose()
        self.env.blocking_redis.close()

    async def _give_back(self, begun: set[Entry]) -> None:
        """Hand back all that is held and remove the consumer, once a failover is over.

        Raises redis errors that do not pass by themselves.
        """
        held = self.holding.snapshot()
        while True:
            try:
                await self.claims.hand_back([e for e in held if e in begun], begun=True)
                await self.claims.hand_back([e for e in held if e not in begun])
                if not self._custom:
                    await self._hand_back_unheld()
                await consumers.delete_if_empty(
                    self.control, self.settings.keys, self.settings.consumer
                )
                return
            except REDIS_ERRORS as error:
                if not is_passing(error):
                    raise
            await asyncio.sleep(REPEAT_SECONDS)

    def live(self) -> str | None:
        """None while the loop makes progress."""
        now = time.monotonic()
        if now - self.tick > self.settings.bound:
            return f"the event loop has not run for {now - self.tick:.0f} s"
        silent = now - self.reader.progress
        if self._reading is not None and silent > self.settings.bound + WEDGED_SECONDS:
            return f"the read loop has made no progress for {silent:.0f} s"
        if self.dispatcher.left_behind > 4 * self.settings.config.concurrency:
            return f"{self.dispatcher.left_behind} handlers ignored their time-out"
        return None

    def ready(self) -> str | None:
        """None while Redis answers."""
        if self._reading is None:
            return "starting"
        if self.env.shutting_down:
            return "stopping"
        for outage in (self.reader.outage, self.settler.outage):
            if outage.seconds > AWAY_SECONDS:
                return f"Redis is away: {outage.reason}"
        if self.settler.postponed.outage.seconds > AWAY_SECONDS:
            return f"Redis refuses to settle entries: {self.settler.postponed.outage.reason}"
        return None

    async def _stop_claiming(self) -> None:
        claiming = [task for task in self._tasks if task.get_name() in ("upkeep", "suspects")]
        # A claim cut off on its way may be carried out after we looked for what is ours.
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(CLAIM_SECONDS), self.claims.lock:
                await cancel(claiming)
        await cancel(claiming)

    async def _stop_reading(self) -> None:
        reading = self._reading
        if reading is None:
            return
        self.reader.stop()
        while not reading.done():
            if self.reader.reading and self.reader.client_id:
                with contextlib.suppress(*REDIS_ERRORS):  # without the right, BLOCK ends by itself
                    await self.control.client_unblock(self.reader.client_id)
            await asyncio.wait([reading], timeout=0.1)

    def _unstarted(self) -> list[Entry]:
        waiting = self.deduplication.unstarted() if self.deduplication is not None else []
        return self.dispatcher.unstarted() + waiting

    async def _ticker(self) -> None:
        shortest = min((route.timeout for route in self.routes.all), default=1.0)
        pause = min(TICK_SECONDS, shortest / 4)
        while True:
            self.tick = time.monotonic()
            self.dispatcher.sweep()
            await asyncio.sleep(pause)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(coroutine, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task of ours ended by itself, or a handler cancelled it: better a new process than half
        a worker."""
        if task.cancelled():
            if self.env.shutting_down:
                return
            logger.critical("%s was cancelled by somebody else", task.get_name())
        elif (error := task.exception()) is not None:
            logger.critical("%s failed: %s", task.get_name(), sentence(error), exc_info=error)
        else:
            return
        self.failed.set()

    def _gauges(self) -> None:
        gauge = self.metrics.gauge
        gauge("held", "Entries held", lambda: len(self.holding))
        gauge(
            "refused",
            "Entries held for which Redis writes nothing",
            lambda: len(self.settler.postponed.entries),
        )
        gauge("in_flight", "Handlers running", lambda: self.dispatcher.running)
        gauge("parked", "Entries of the group waiting for a try", lambda: self.metrics.parked)
        gauge(
            "left_behind",
            "Handlers that ignored their time-out",
            lambda: self.dispatcher.left_behind,
        )
        gauge(
            "marks_evictable",
            "1 where Redis may evict deduplication marks",
            lambda: float(self.metrics.marks_evictable),
        )
        gauge("ready", "1 while Redis answers", lambda: float(self.ready() is None))
