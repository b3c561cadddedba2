"""Runs suspects one at a time: each alone in its process, marked before it starts, and its outcome
written before the next begins. If the process dies now, only this entry is to blame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from headrace.entry import Entry
from headrace.streams.connect import REDIS_ERRORS
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.held import Holding
from headrace.worker.outage import Outage
from headrace.worker.settling.settler import Settler

MarkSolo = Callable[[Entry], Awaitable[bool]]
"""Notes in Redis that the entry runs alone from now on; False when it is no longer ours."""


class Suspects:
    """Empties `dispatcher.suspects` until cancelled."""

    def __init__(
        self,
        mark_solo: MarkSolo,
        *,
        dispatcher: Dispatcher,
        settler: Settler,
        holding: Holding,
    ) -> None:
        self._mark_solo = mark_solo
        self._dispatcher = dispatcher
        self._settler = settler
        self._holding = holding
        self._outage = Outage("mark a suspect")

    async def run(self) -> None:
        dispatcher = self._dispatcher
        while True:
            await dispatcher.suspects_waiting.wait()
            dispatcher.pause()
            try:
                await dispatcher.until_idle()
                await self._settler.drain()
                while dispatcher.suspects:
                    await self._run_one()
            finally:
                dispatcher.suspects_waiting.clear()
                dispatcher.resume()

    async def _run_one(self) -> None:
        dispatcher = self._dispatcher
        route, entry = dispatcher.suspects.popleft()
        if not await self._mark(entry):
            entry.lost = True
            self._holding.drop(entry)
            return
        await dispatcher.run_alone(route, entry)
        await self._settler.drain()

    async def _mark(self, entry: Entry) -> bool:
        while True:
            try:
                marked = await self._mark_solo(entry)
            except REDIS_ERRORS as error:
                await asyncio.sleep(self._outage.begin(error))
            else:
                self._outage.end()
                return marked
