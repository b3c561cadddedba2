"""Deduplication: an event that another entry brought before is acknowledged unhandled.

One look-up per batch, before dispatch. Entries with equal ids in one process run one after the
other: the later one waits until the first has left the worker, and is then looked up itself. Two
processes may still run both handlers; the commit lets only one of them mark and emit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

from redis.asyncio import Redis

from headrace.entry import Entry
from headrace.streams import marks
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.worker.metrics import Metrics
from headrace.worker.outage import REDIS_ERRORS, Outage

logger = logging.getLogger("headrace.worker")


class Deduplication:
    """Stands between reading (or claiming) and the lanes of a group that deduplicates."""

    def __init__(
        self,
        client: Redis,
        keys: GroupKeys,
        *,
        field: str,
        deliver: Callable[[list[Entry]], None],
        duplicate: Callable[[Entry], None],
        metrics: Metrics,
    ) -> None:
        """`field`: where an entry carries its event id. An entry without it is always handled."""
        self._client = client
        self._keys = keys
        self._field = field.encode()
        self._deliver = deliver
        self._duplicate = duplicate
        self._metrics = metrics
        self._entered: dict[bytes, Entry] = {}
        """By event id, the entry that is looked up or handled now."""
        self._waiting: defaultdict[bytes, list[Entry]] = defaultdict(list)
        self._unasked: list[Entry] = []
        """Held entries whose marks still have to be looked up."""
        self._looking_up = 0
        self._wake = asyncio.Event()
        self._outage = Outage("look up event ids")

    async def admit(self, entries: list[Entry]) -> None:
        """Deliver what is new, settle what is not; where Redis fails, `run` asks again."""
        self._looking_up += 1
        try:
            await self._admit(self._enter(entries))
        finally:
            self._looking_up -= 1

    @property
    def quiet(self) -> bool:
        """No look-up is under way or wanted."""
        return not (self._looking_up or self._unasked)

    async def _admit(self, entries: list[Entry]) -> None:
        ids = [entry.event_id for entry in entries if entry.event_id is not None]
        try:
            members = iter(await marks.seen_by(self._client, self._keys, ids))
        except REDIS_ERRORS as error:
            self._metrics.counts["redis_errors"] += 1
            asyncio.get_running_loop().call_later(
                self._outage.begin(error), self.admit_later, entries
            )
            return
        self._outage.end()
        fresh = []
        for entry in entries:
            if entry.event_id is not None and is_duplicate(entry, next(members)):
                self._duplicate(entry)
            else:
                fresh.append(entry)
        self._deliver(fresh)

    def admit_later(self, entries: list[Entry]) -> None:
        """The same, by `run`, for a caller that does not wait."""
        self._unasked += entries
        self._wake.set()

    def forget(self, entry: Entry) -> None:
        """An entry has left the worker: those that waited for its end are looked up."""
        event_id = entry.event_id
        if event_id is None or self._entered.get(event_id) is not entry:
            return
        del self._entered[event_id]
        if event_id in self._waiting:
            self.admit_later(self._waiting.pop(event_id))

    async def run(self) -> None:
        """Look up what `admit_later` was given, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            entries, self._unasked = self._unasked, []
            await self.admit(entries)

    async def check_eviction(self) -> None:
        """Warn when Redis may evict marks. Raises redis errors."""
        policy = await marks.evicting_policy(self._client)
        self._metrics.marks_evictable = policy is not None
        if policy is not None:
            logger.warning(
                "maxmemory-policy %s may evict deduplication marks: a duplicate would be handled;"
                " set it to noeviction",
                policy,
            )

    def _enter(self, entries: list[Entry]) -> list[Entry]:
        """Read the event ids; the entries that need not wait for another with the same id."""
        entered = []
        for entry in entries:
            event_id = entry.field(self._field)
            if event_id:
                entry.event_id = event_id
                entry.plain = False
                if self._entered.setdefault(event_id, entry) is not entry:
                    self._waiting[event_id].append(entry)
                    continue
            entered.append(entry)
        return entered


def is_duplicate(entry: Entry, seen_by: bytes | None) -> bool:
    """True when another entry brought this event before. Neither an earlier delivery of the same
    entry nor, for a replayed dead letter, its own first life is another."""
    if seen_by is None or seen_by == entry.source.member(entry.id):
        return False
    return entry.original_id is None or seen_by != Source.MAIN.member(entry.original_id)
