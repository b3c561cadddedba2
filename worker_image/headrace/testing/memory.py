"""One stream and one group in memory, by the rules of the Lua scripts in `headrace.streams`.

Times are milliseconds of `clock_ms`, which stands still unless moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.streams.entries import NO_RECORD, ClaimedEntry, Record, Source
from headrace.streams.keys import PARKED
from headrace.streams.settlement import (
    DeadLetter,
    Park,
    Settlement,
    Verdict,
    VerdictKind,
    Verdicts,
)


@dataclass(slots=True)
class Pending:
    """One row of the pending entries list."""

    consumer: str
    delivered_ms: int
    deliveries: int = 1
    record: Record = NO_RECORD
    due_ms: int = 0
    """For parked entries."""


@dataclass(frozen=True, slots=True)
class Buried:
    """A dead letter as the commit writes it."""

    id: bytes
    outcome: DeadLetter
    attempts: int
    crashes: int


class Group:
    """The stream, what of it is unread, pending and dead."""

    def __init__(self, start_ms: int) -> None:
        self.clock_ms = start_ms
        self._sequence = 0
        self._bodies: dict[bytes, list[bytes]] = {}
        self._unread: list[bytes] = []
        self._pending: dict[bytes, Pending] = {}
        self.dead: list[Buried] = []
        self._marks: dict[bytes, tuple[bytes, int]] = {}
        """By event id: the entry that handled the event, and when the mark expires."""

    def seen_by(self, event_id: bytes) -> bytes | None:
        """MGET of a mark: the entry that handled the event within the window."""
        member, until_ms = self._marks.get(event_id, (None, 0))
        return member if until_ms > self.clock_ms else None

    def add(self, fields: list[bytes]) -> bytes:
        """XADD; the entry's id."""
        entry_id = b"%d-%d" % (self.clock_ms, self._sequence)
        self._sequence += 1
        self._bodies[entry_id] = fields
        self._unread.append(entry_id)
        return entry_id

    def read(self, consumer: str) -> list[tuple[bytes, list[bytes]]]:
        """XREADGROUP of all that nobody has read."""
        ids, self._unread = self._unread, []
        for entry_id in ids:
            self._pending[entry_id] = Pending(consumer, self.clock_ms)
        return [(entry_id, self._bodies[entry_id]) for entry_id in ids]

    def next_ms(self, consumer: str, min_idle_ms: int) -> int | None:
        """When the earliest pending entry can be taken by `consumer`; None: there is none."""
        times = [
            row.due_ms if row.consumer == PARKED else row.delivered_ms + min_idle_ms
            for row in self._pending.values()
            if row.consumer != consumer
        ]
        return min(times, default=None)

    def take(self, consumer: str, min_idle_ms: int) -> list[ClaimedEntry]:
        """take_due.lua and park_idle.lua: what is due, and what a lost consumer held too long."""
        taken = []
        for entry_id, row in self._pending.items():
            if row.consumer == PARKED and row.due_ms <= self.clock_ms:
                row.record = replace(row.record, solo=False)
            elif row.consumer not in (consumer, PARKED) and (
                row.delivered_ms + min_idle_ms <= self.clock_ms
            ):
                old = row.record
                row.record = replace(
                    old,
                    crashes=old.crashes + 1,
                    killed=old.killed + old.solo,
                    solo=False,
                    first_ms=old.first_ms or row.delivered_ms,
                )
            else:
                continue
            row.consumer, row.delivered_ms = consumer, self.clock_ms
            row.deliveries += 1
            fields = self._bodies[entry_id]
            taken.append(ClaimedEntry(Source.MAIN, entry_id, fields, row.deliveries, row.record))
        return taken

    def mark_solo(self, consumer: str, entry_id: bytes, deliveries: int) -> bool:
        """mark_solo.lua: from now on a crash counts against this entry."""
        row = self._pending.get(entry_id)
        if row is None or (row.consumer, row.deliveries) != (consumer, deliveries):
            return False
        row.record = replace(row.record, solo=True)
        return True

    def commit(
        self, consumer: str, acks: Sequence[bytes], settlements: Sequence[Settlement]
    ) -> Verdicts:
        """commit.lua: fence, then settle; what is not in the answer is done."""
        refused: Verdicts = {}
        for entry_id, deliveries, settlement in [
            *((entry_id, 1, None) for entry_id in acks),
            *((one.id, one.delivery_count, one) for one in settlements),
        ]:
            row = self._pending.get(entry_id)
            if row is None:
                refused[Source.MAIN, entry_id] = Verdict(VerdictKind.GONE)
            elif (row.consumer, row.deliveries) != (consumer, deliveries):
                refused[Source.MAIN, entry_id] = Verdict(VerdictKind.OWNED_BY_ANOTHER)
            elif settlement is not None and isinstance(settlement.outcome, Park):
                self._park(row, settlement.outcome)
            else:
                if settlement is not None and isinstance(settlement.outcome, DeadLetter):
                    self.dead.append(
                        Buried(entry_id, settlement.outcome, deliveries, row.record.crashes)
                    )
                if settlement is not None and settlement.mark is not None:
                    mark = settlement.mark
                    until_ms = self.clock_ms + mark.window_ms
                    self._marks[mark.event_id] = Source.MAIN.member(entry_id), until_ms
                del self._pending[entry_id]
        return refused

    def _park(self, row: Pending, outcome: Park) -> None:
        row.consumer, row.due_ms = PARKED, self.clock_ms + outcome.delay_ms
        old = row.record
        row.record = replace(
            old,
            failures=old.failures + outcome.failure,
            solo=False,
            first_ms=old.first_ms or row.delivered_ms,
            error=outcome.error.encode() if outcome.failure else old.error,
        )
