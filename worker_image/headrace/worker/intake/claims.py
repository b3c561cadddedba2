"""What a worker does besides reading, all on the control connection, one duty after the other:

- each second: take parked entries that have fallen due
- each reclaim interval, also while the stream is quiet: take entries that others stopped renewing,
  give back what a lost reply left with us, remove dead consumers, and see that the group stands
  where its stream is
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from redis.asyncio import Redis

from headrace.entry import Entry
from headrace.streams import claim
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.worker.backoff import Random
from headrace.worker.group_guard import GroupGuard
from headrace.worker.held import Holding
from headrace.worker.metrics import Metrics
from headrace.worker.outage import REFUSALS, Outage

logger = logging.getLogger("headrace.worker")

DUE_SECONDS = 1.0
MAX_RECLAIM_SECONDS = 15.0
DEAD_CONSUMER_FACTOR = 20
"""A silent, empty consumer is removed after this many minIdle, an hour at least."""


def reclaim_interval(min_idle: float, rng: Random) -> float:
    """Seconds between two looks at idle entries; spread, so that a fleet does not look at once."""
    return min(min_idle / 4, MAX_RECLAIM_SECONDS) * (0.75 + 0.5 * rng())


class Claims:
    """Claims for one consumer. `deliver` gets what was claimed, already in the holding."""

    def __init__(
        self,
        control: Redis,
        keys: GroupKeys,
        consumer: str,
        *,
        holding: Holding,
        metrics: Metrics,
        min_idle: float,
        count: int,
        room: Callable[[], int],
        deliver: Callable[[list[Entry]], None],
        group: GroupGuard,
        check_groups: Callable[[], Awaitable[None]],
        rng: Random,
    ) -> None:
        self._control = control
        self._keys = keys
        self._consumer = consumer
        self._holding = holding
        self._metrics = metrics
        self._min_idle_ms = round(min_idle * 1000)
        self._count = count
        self._room = room
        self._deliver = deliver
        self._group = group
        self._check_groups = check_groups
        self._rng = rng
        self._next_reclaim = 0.0
        self._cursors = {Source.MAIN: b"", Source.REPLAY: b""}
        self.lock = asyncio.Lock()
        """Between claiming and holding an entry nobody may look for entries that are not held."""
        self.outage = Outage("claim")

    async def run(self) -> None:
        """Do the duties until cancelled."""
        wait = 0.0
        while True:
            await asyncio.sleep(wait)
            try:
                await self._group.restore()
                wait = await self._round()
                self.outage.end()
            except (*REDIS_ERRORS, *REFUSALS) as error:
                self._metrics.counts["redis_errors"] += 1
                self._group.note(error)
                wait = self.outage.begin(error)

    async def _round(self) -> float:
        wait = DUE_SECONDS
        if self._room() > 0:
            next_due_ms = await self.take_due()
            if next_due_ms is not None:
                wait = min(wait, max(0.01, next_due_ms / 1000))
        if monotonic() >= self._next_reclaim:
            if self._room() > 0:
                await self.claim_idle()
            await self.hand_back_unheld(self._min_idle_ms // 2)
            silent_ms = max(3_600_000, DEAD_CONSUMER_FACTOR * self._min_idle_ms)
            await claim.delete_dead_consumers(
                self._control, self._keys, self._consumer, min_idle_ms=silent_ms
            )
            await self._check_groups()
            pause = reclaim_interval(self._min_idle_ms / 1000, self._rng)
            self._next_reclaim = monotonic() + pause
        return wait

    async def take_due(self) -> int | None:
        """Take what fell due; ms until the next does."""
        async with self.lock:
            claimed = await claim.take_due(
                self._control, self._keys, self._consumer, count=min(self._count, self._room())
            )
            self._metrics.counts["taken_due"] += self._take(claimed)
            self._metrics.parked = claimed.parked
        return claimed.next_due_ms

    @property
    def scanned(self) -> bool:
        """The scan for idle entries has come round to its beginning."""
        return not any(self._cursors.values())

    async def claim_idle(self, limit: int | None = None) -> int:
        """Take one slice of idle entries of each source; how many came."""
        count = self._count if limit is None else limit
        taken = 0
        for source in Source:
            async with self.lock:
                claimed = await claim.claim_idle(
                    self._control,
                    self._keys,
                    self._consumer,
                    source=source,
                    min_idle_ms=self._min_idle_ms,
                    count=max(1, min(count - taken, self._room())),
                    cursor=self._cursors[source],
                )
                self._cursors[source] = claimed.cursor
                taken += self._take(claimed)
        self._metrics.counts["claimed"] += taken
        return taken

    async def take_over(self, pod: str) -> int:
        """Take everything that earlier processes of this pod held; how many entries came."""
        taken = 0
        for source in Source:
            while True:
                async with self.lock:
                    claimed = await claim.take_over(
                        self._control,
                        self._keys,
                        self._consumer,
                        pod=pod,
                        source=source,
                        count=self._count,
                    )
                    count = self._take(claimed)
                if not count:
                    break
                taken += count
        self._metrics.counts["claimed"] += taken
        return taken

    async def hand_back_unheld(self, min_idle_ms: int = 0) -> None:
        """Give back what is delivered to us without our holding it."""
        async with self.lock:
            for source in Source:
                returned = await claim.hand_back_unheld(
                    self._control,
                    self._keys,
                    self._consumer,
                    source,
                    self._holding.ids(source),
                    min_idle_ms=min_idle_ms,
                )
                self._metrics.counts["handed_back"] += returned

    async def hand_back(self, entries: list[Entry], *, begun: bool = False) -> None:
        """Give back entries, as if never delivered unless a handler has `begun` them."""
        for source in Source:
            ours = [(e.id, e.delivery_count) for e in entries if e.source is source]
            if ours:
                self._metrics.counts["handed_back"] += await claim.hand_back(
                    self._control, self._keys, self._consumer, source, ours, begun=begun
                )
        for entry in entries:
            self._holding.drop(entry)

    def _take(self, claimed: claim.Claimed) -> int:
        for source, id_ in claimed.trimmed:
            self._metrics.counts["trimmed"] += 1
            logger.error("pending entry %s (%s) was trimmed: lost", id_.decode(), source.name)
        entries = [Entry.claimed(entry) for entry in claimed.entries]
        self._holding.add(entries)
        self._deliver(entries)
        return len(entries)
