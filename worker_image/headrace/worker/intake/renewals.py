"""The lease: entries held long are renewed, from a thread of its own, so that a handler that blocks
the loop does not lose its entries.

Bounded: the sweep ends every overdue handler as long as the loop runs, and once the loop itself has
made no progress for longer than that, nothing is renewed: a hung process must not keep its entries
from the others for ever.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from time import monotonic

from redis.asyncio import Redis

from headrace.entry import Entry
from headrace.streams import claim
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.worker.held import Holding
from headrace.worker.metrics import Metrics
from headrace.worker.outage import Outage, is_missing_group

logger = logging.getLogger("headrace.worker")

CHUNK = 500


class Renewer:
    """A thread that renews what the worker holds every third of minIdle."""

    def __init__(
        self,
        connect: Callable[[], Redis],
        keys: GroupKeys,
        consumer: str,
        *,
        holding: Holding,
        metrics: Metrics,
        min_idle: float,
        bound: float,
        loop_progress: Callable[[], float],
    ) -> None:
        """`bound`: seconds the loop may be silent. `loop_progress`: when it last came round."""
        self._connect = connect
        self._keys = keys
        self._consumer = consumer
        self._holding = holding
        self._metrics = metrics
        self._interval = min_idle / 3
        self._bound = bound
        self._loop_progress = loop_progress
        self._outage = Outage("lease")
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="lease", daemon=True)
        self._expired_said = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for a renewal under way."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(timeout=6.0)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        finally:
            self._loop.close()

    async def _run(self) -> None:
        client = self._connect()
        wait = self._interval
        while True:
            try:
                await asyncio.wait_for(self._stopped.wait(), wait)
                break
            except TimeoutError:
                pass
            try:
                await self._renew(client)
                self._outage.end()
                wait = self._interval
            except REDIS_ERRORS as error:
                wait = min(self._interval, 1.0)
                if not is_missing_group(error):
                    wait = min(self._interval, self._outage.begin(error))
        self._holding.renewing = False
        await client.aclose()

    async def _renew(self, client: Redis) -> None:
        if monotonic() - self._loop_progress() > self._bound:
            if not self._expired_said:
                logger.error(
                    "the loop made no progress for %.0f s: leases are no longer renewed",
                    self._bound,
                )
                self._expired_said = True
            return
        self._expired_said = False
        held = self._holding.snapshot()
        answered, self._holding.renewing = not self._holding.renewing, True
        for source in Source:
            # What was trimmed is out of the pending list, and nobody can take it any more.
            entries = {e.id: e for e in held if e.source is source and not e.trimmed}
            ids = list(entries)
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                renewed = await claim.renew(
                    client, self._keys, self._consumer, source, chunk, answered=answered
                )
                answered = False  # what this round finds is kept until it is over
                self._note(renewed, entries)
                self._metrics.counts["leases_renewed"] += len(chunk) - len(renewed.lost)
        self._holding.renewing = False

    def _note(self, renewed: claim.Renewed, entries: Mapping[bytes, Entry]) -> None:
        for id_ in renewed.trimmed:
            entries[id_].trimmed = True
            entries[id_].plain = False
            self._metrics.counts["trimmed"] += 1
        if not renewed.lost:
            return
        # In this order: the loop forgets what it holds before it forgets what was on its way.
        on_its_way = set(map(id, self._holding.on_its_way()))
        held = set(map(id, self._holding.snapshot()))
        for entry in map(entries.__getitem__, renewed.lost):
            # What has ended meanwhile is not held any more; the rest was taken from us.
            if id(entry) in held and id(entry) not in on_its_way:
                entry.lost = True
                self._metrics.counts["leases_lost"] += 1
