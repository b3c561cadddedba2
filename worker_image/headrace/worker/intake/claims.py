"""What a worker does besides reading, all on the control connection, one duty after the other:

- take parked entries when they fall due: at the time that was told, and at the least each second,
  for others park entries, too
- each reclaim interval, also while the stream is quiet: park what others stopped renewing, so that
  all workers of the group take some; give back what a lost reply left with us; remove dead
  consumers; and see that the group stands where its stream is
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from redis.asyncio import Redis

from headrace.entry import Entry
from headrace.streams import claim, consumers
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.worker.backoff import Random
from headrace.worker.group_guard import GroupGuard
from headrace.worker.held import Holding
from headrace.worker.intake.room import Room
from headrace.worker.metrics import Metrics
from headrace.worker.outage import REFUSALS, Outage

logger = logging.getLogger("headrace.worker")

DUE_SECONDS = 1.0
MAX_RECLAIM_SECONDS = 15.0
DEAD_CONSUMER_FACTOR, DEAD_CONSUMER_MS = 20, 3_600_000
"""A silent, empty consumer is removed after this many minIdle, an hour at least."""
MAX_PARKED = 200
"""Entries that one call parks: about a millisecond of the server's."""


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
        room: Room,
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
        self._wake = asyncio.Event()
        self._wake_at = math.inf
        """The earliest time that somebody asked for since the round began."""
        self._adopting = (b"", b"")
        self._wants_room = False
        self.lock = asyncio.Lock()
        """Held from a claim until its entries are in the holding: else hand_back_unheld would give
        them back."""
        self.outage = Outage("claim")

    async def run(self) -> None:
        """Do the duties until cancelled."""
        while True:
            try:
                await self._group.restore()
                wait = await self._round()
                self.outage.end()
            except (*REDIS_ERRORS, *REFUSALS) as error:
                self._metrics.counts["redis_errors"] += 1
                self._group.note(error)
                await asyncio.sleep(self.outage.begin(error))
            else:
                await self._until_woken(wait)

    def due_in(self, seconds: float) -> None:
        """An entry was parked for so long: `run` takes it in time."""
        self._wake_by(monotonic() + seconds)

    def room_changed(self) -> None:
        """There may be room for what could not be taken."""
        if self._wants_room:
            self._wants_room = False
            self._wake_by(0.0)

    def _wake_by(self, when: float) -> None:
        if when < self._wake_at:
            self._wake_at = when
            self._wake.set()

    async def _until_woken(self, seconds: float) -> None:
        until = monotonic() + seconds
        while (left := min(until, self._wake_at) - monotonic()) > 0:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except TimeoutError:
                return

    async def _round(self) -> float:
        """Do what is to be done now; seconds until there is more."""
        wait = DUE_SECONDS
        self._wake_at = math.inf
        self._wants_room = self._room.for_suspects() == 0
        if held_up := self._room.held_up():
            await self._hand_back_queued(held_up)
        if self._room.for_claim(self._count) > 0:
            _, next_due_ms = await self.take_due()
            if next_due_ms is not None:
                wait = min(wait, next_due_ms / 1000)
        self._wants_room = self._room.for_claim(self._count) == 0 or self._room.for_suspects() == 0
        if monotonic() >= self._next_reclaim:
            if await self.park_idle():
                return 0.0
            self._adopting = await claim.adopt_parked(self._control, self._keys, self._adopting)
            if any(self._adopting):
                return 0.0
            await self.hand_back_unheld(self._min_idle_ms // 2)
            await self.delete_dead_consumers()
            await self._check_groups()
            pause = reclaim_interval(self._min_idle_ms / 1000, self._rng)
            self._next_reclaim = monotonic() + pause
        return wait

    async def delete_dead_consumers(self) -> None:
        """Delete consumers that are empty and have been silent for long."""
        silent_ms = max(DEAD_CONSUMER_MS, DEAD_CONSUMER_FACTOR * self._min_idle_ms)
        await consumers.delete_dead(
            self._control, self._keys, self._consumer, min_idle_ms=silent_ms
        )

    async def forget_failures(self, entries: Sequence[tuple[Source, bytes]]) -> None:
        """Drop the records of entries whose own consumers keep none."""
        members = [source.member(id_) for source, id_ in entries]
        for start in range(0, len(members), 1000):
            await self._control.hdel(self._keys.failures, *members[start : start + 1000])

    async def take_due(self) -> tuple[int, int | None]:
        """Take what fell due, as far as there is room: how many, and ms until the next does."""
        sizes = self._room.reply_size
        async with self.lock:
            count, began = self._room.for_claim(self._count), monotonic()
            with self._room.kept(count):
                try:
                    claimed = await claim.take_due(
                        self._control,
                        self._keys,
                        self._consumer,
                        count=count,
                        suspects=self._room.for_suspects(),
                        most_bytes=self._room.bytes_for_claim(),
                    )
                except REDIS_ERRORS:
                    sizes.failed(count)
                    raise
                seconds = monotonic() - began
                entries = self._take(claimed)
        sizes.arrived(len(entries), sum(entry.size for entry in entries), seconds)
        self._metrics.counts["taken_due"] += len(entries)
        self._metrics.parked = claimed.parked
        return len(entries), claimed.next_due_ms

    async def park_idle(self, count: int = MAX_PARKED) -> bool:
        """Park a slice of what others stopped renewing, at most `count` entries of each source;
        True while there is more to look at."""
        more = False
        for source in Source:
            found = await claim.park_idle(
                self._control,
                self._keys,
                self._consumer,
                source=source,
                min_idle_ms=self._min_idle_ms,
                count=count,
                cursor=self._cursors[source],
            )
            self._cursors[source] = found.cursor
            self._note_parked(found, source)
            more = more or bool(found.cursor)
        return more

    async def take_over(self, pod: str) -> int:
        """Park everything that earlier processes of this pod held, due now; how many entries."""
        parked = 0
        for source in Source:
            found = claim.ParkedIdle(1, [])
            while found.parked or found.trimmed:
                found = await claim.take_over(
                    self._control,
                    self._keys,
                    self._consumer,
                    pod=pod,
                    source=source,
                    count=MAX_PARKED,
                )
                self._note_parked(found, source)
                parked += found.parked
        return parked

    async def claim_idle(self, limit: int, *, condemned_at: int) -> tuple[int, bool]:
        """For a Custom group: take a slice of idle entries of each source; how many, and whether
        there is more to look at. Those delivered `condemned_at` times bring their fields, as far
        as there is room for them: the others come to a later pass."""
        taken, ours = 0, (self._control, self._keys, self._consumer)
        for source in Source:
            async with self.lock:
                claimed = await claim.claim_idle(
                    *ours,
                    source=source,
                    min_idle_ms=self._min_idle_ms,
                    count=max(1, limit - taken),
                    cursor=self._cursors[source],
                    needed_from=condemned_at,
                    most_bytes=self._room.bytes_for_claim(),
                )
                self._cursors[source] = claimed.cursor
                await self.forget_failures(claimed.unread)
                taken += len(self._take(claimed)) + len(claimed.unread)
        self._metrics.counts["claimed"] += taken
        return taken, any(self._cursors.values())

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

    async def _hand_back_queued(self, entries: list[Entry]) -> None:
        """Give back what was taken out of the queue. Nobody begins it here any more, so it is not
        held either, not even where Redis refuses: hand_back_unheld gives it back later."""
        try:
            await self.hand_back(entries)
        except BaseException:
            for entry in entries:
                self._holding.drop(entry)
            raise

    def _note_parked(self, found: claim.ParkedIdle, source: Source) -> None:
        self._metrics.counts["claimed"] += found.parked
        self._note_trimmed([(source, id_) for id_ in found.trimmed])

    def _note_trimmed(self, trimmed: list[tuple[Source, bytes]]) -> None:
        for source, id_ in trimmed:
            self._metrics.counts["trimmed"] += 1
            logger.error("pending entry %s (%s) was trimmed: lost", id_.decode(), source.name)

    def _take(self, claimed: claim.Claimed) -> list[Entry]:
        self._note_trimmed(claimed.trimmed)
        entries = [Entry.claimed(entry) for entry in claimed.entries]
        self._holding.add(entries)
        self._holding.weigh(entries)
        self._deliver(entries)
        return entries
