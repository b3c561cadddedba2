"""Runs suspects one at a time: each alone in its process, marked before it starts, and its outcome
written before the next begins. If the process dies now, only this entry is to blame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis

from headrace.entry import Entry
from headrace.streams import claim, entries
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.keys import GroupKeys
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.held import Holding
from headrace.worker.outage import Outage
from headrace.worker.settling.settler import Settler

T = TypeVar("T")


class Suspects:
    """Empties `dispatcher.suspects` until cancelled."""

    def __init__(
        self,
        control: Redis,
        keys: GroupKeys,
        consumer: str,
        *,
        dispatcher: Dispatcher,
        settler: Settler,
        holding: Holding,
    ) -> None:
        self._control = control
        self._keys = keys
        self._consumer = consumer
        self._dispatcher = dispatcher
        self._settler = settler
        self._holding = holding
        self._outage = Outage("mark a suspect")

    async def run(self) -> None:
        dispatcher = self._dispatcher
        while True:
            await dispatcher.suspects_waiting.wait()
            dispatcher.paused = True
            try:
                await dispatcher.until_idle()
                await self._settler.drain()
                while dispatcher.suspects:
                    await self._run_one()
            finally:
                dispatcher.suspects_waiting.clear()
                if not dispatcher.env.shutting_down:
                    dispatcher.resume()

    async def _run_one(self) -> None:
        dispatcher = self._dispatcher
        route, entry = dispatcher.suspects.popleft()
        assert entry is not None
        if not await self._insist(lambda: self._mark(entry)):
            entry.lost = True
            self._holding.drop(entry)
            return
        dispatcher.start_alone(route, entry)
        await dispatcher.until_idle()
        await self._settler.drain()

    async def _mark(self, entry: Entry) -> bool:
        marked = entries.ClaimedEntry(
            entry.source, entry.id, entry.fields, entry.delivery_count, entry.record
        )
        return await claim.mark_solo(self._control, self._keys, self._consumer, marked)

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                result = await call()
            except REDIS_ERRORS as error:
                await asyncio.sleep(self._outage.begin(error))
            else:
                self._outage.end()
                return result
