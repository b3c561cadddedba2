"""Deduplication: an event that another entry brought before is acknowledged unhandled.

One look-up per batch, before dispatch: in front of the reader's next read, or on the control
connection for what was claimed and what no read can carry. Entries with equal ids in one process
run one after the other: the later one waits until the first has left the worker, and is then looked
up itself. Two processes may still run both handlers; the commit lets only one of them mark and
emit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from redis.asyncio import Redis

from headrace.entry import Entry
from headrace.streams import marks
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.script import call
from headrace.worker.metrics import Metrics
from headrace.worker.outage import Outage
from headrace.worker.rider import Ride

logger = logging.getLogger("headrace.worker")


class Deduplication:
    """Stands between reading (or claiming) and the dispatcher of a group that deduplicates."""

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

    def admit(self, entries: list[Entry]) -> None:
        """Take entries just read, for the look-up that rides in front of the next read; what
        carries no event id needs none."""
        entered = self._enter(entries)
        self._unasked += [entry for entry in entered if entry.event_id is not None]
        self._deliver([entry for entry in entered if entry.event_id is None])

    def admit_later(self, entries: list[Entry]) -> None:
        """Take entries for which no read will come by; `run` looks them up."""
        self.admit(entries)
        self.send_now()

    def send_now(self) -> None:
        """Have `run` look up what waits: no read is going to carry it."""
        if self._unasked:
            self._wake.set()

    @property
    def quiet(self) -> bool:
        """No look-up is under way or wanted."""
        return not (self._looking_up or self._unasked)

    def take_for_read(self) -> Ride | None:
        """The look-up of what waits, to be sent in front of a read; None when nothing waits."""
        if not self._unasked:
            return None
        entries, self._unasked = self._unasked, []
        self._looking_up += 1
        return Ride(
            marks.look_up(self._keys, [entry.event_id or b"" for entry in entries]),
            answered=partial(self._looked_up, entries),
            failed=partial(self._ask_again, entries),
        )

    def _looked_up(self, entries: list[Entry], members: Sequence[bytes | None]) -> None:
        """The look-up's answer: deliver what is new, settle what is not."""
        self._looking_up -= 1
        fresh = []
        for entry, seen_by in zip(entries, members, strict=True):
            if seen_by is not None and is_duplicate(entry, seen_by):
                self._duplicate(entry)
            else:
                fresh.append(entry)
        self._deliver(fresh)

    def _ask_again(self, entries: list[Entry]) -> None:
        self._looking_up -= 1
        self._unasked += entries
        self._wake.set()

    def unstarted(self) -> list[Entry]:
        """Empty what waits: the entries that are neither looked up nor handled."""
        entries = self._unasked + [entry for one in self._waiting.values() for entry in one]
        self._unasked = []
        self._waiting.clear()
        return entries

    async def run(self) -> None:
        """Look up on the control connection when woken, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if (look_up := self.take_for_read()) is None:
                continue
            try:
                members = await call(self._client, look_up.command)
            except REDIS_ERRORS as error:
                self._metrics.counts["redis_errors"] += 1
                await asyncio.sleep(self._outage.begin(error))
                look_up.failed()
            else:
                self._outage.end()
                look_up.answered(members)

    def forget(self, entry: Entry) -> None:
        """An entry has left the worker: those that waited for its end are looked up."""
        event_id = entry.event_id
        if event_id is None or self._entered.get(event_id) is not entry:
            return
        del self._entered[event_id]
        if event_id in self._waiting:
            self.admit_later(self._waiting.pop(event_id))

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
        entered, name, first = [], self._field, self._entered
        for entry in entries:
            fields = entry.fields
            # The producer's order (type, version, payload, id) is looked at first.
            if len(fields) > 7 and fields[6] == name:
                event_id: bytes | None = fields[7]
            else:
                event_id = entry.field(name)
            if event_id:
                entry.event_id = event_id
                entry.plain = False
                if first.setdefault(event_id, entry) is not entry:
                    self._waiting[event_id].append(entry)
                    continue
            entered.append(entry)
        return entered


def is_duplicate(entry: Entry, seen_by: bytes) -> bool:
    """True when another entry brought this event before. Neither an earlier delivery of the same
    entry nor, for a replayed dead letter, its own first life is another."""
    if seen_by == entry.source.member(entry.id):
        return False
    return entry.original_id is None or seen_by != Source.MAIN.member(entry.original_id)
