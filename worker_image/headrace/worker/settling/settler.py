"""Settled entries on their way to Redis: gathered, flushed together, each verdict acted upon.

One flush is under way at a time, with its own number. It leaves either in front of a read (the
reader takes it) or on the control connection (the settler's own task), and after a lost reply the
same packed calls are sent again until they are answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.asyncio import Redis

from headrace.entry import Entry
from headrace.streams.commit import Committer, Packed
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.settlement import (
    Ack,
    DeadLetter,
    Mark,
    Park,
    Settlement,
    Verdict,
    VerdictKind,
    Verdicts,
)
from headrace.worker.held import Holding
from headrace.worker.metrics import Metrics
from headrace.worker.outage import Outage, sentence
from headrace.worker.routes import Route
from headrace.worker.settling.decision import Decision, Kind

logger = logging.getLogger("headrace.worker")

GATHER_SECONDS = 0.001
"""How long a settled entry waits for the next read to carry it before control does."""
REFUSED_PAUSE = 5.0
OUTCOMES = {
    Kind.ACK: "done",
    Kind.SKIP: "skipped",
    Kind.RETRY: "retried",
    Kind.DEAD_LETTER: "dead_lettered",
    Kind.DUPLICATE: "duplicate",
}
COUNTED = {
    Kind.RETRY: "retries",
    Kind.DEAD_LETTER: "dead_letters",
    Kind.DUPLICATE: "duplicates",
}
"""Decisions with a counter of their own beside `events`."""


@dataclass(slots=True)
class Flush:
    """What one commit carries. `done`: per route, the entries that its handler ended well."""

    packed: list[Packed]
    done: list[tuple[Route, list[Entry]]]
    decided: list[tuple[Entry, str, Decision]]
    size: int = 0
    riding: bool = False
    """Gone in front of a read, its answer awaited there: control must leave it alone."""


@dataclass(slots=True)
class Settler:
    """Owns the committer. All methods run in the worker's loop."""

    committer: Committer
    control: Redis
    holding: Holding
    routes: list[Route]
    metrics: Metrics
    window_ms: int = 0
    """Deduplication window; 0 = the group does not deduplicate."""
    on_room: Callable[[], None] = lambda: None
    """Called after each flush: held entries became fewer."""
    decided: list[tuple[Entry, str, Decision]] = field(default_factory=list)
    postponed: set[Entry] = field(default_factory=set)
    """Entries whose settlement Redis refused, until it is tried again."""
    under_way: Flush | None = None
    outage: Outage = field(default_factory=lambda: Outage("commit"))
    _finished: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing settled waits to be written."""
        return self.under_way is None and not self.ready

    @property
    def ready(self) -> int:
        """Entries that the next flush will carry."""
        return len(self.decided) + sum(len(route.done) for route in self.routes)

    def settle(self, entry: Entry, label: str, decision: Decision) -> None:
        """Take note of an entry's end, other than the success that `Route.done` carries."""
        self.decided.append((entry, label, decision))

    def flush_soon(self) -> None:
        """There may be something to write; called when a slot runs out of work."""
        if self._timer is None and self.under_way is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self.flush_now)

    def flush_now(self) -> None:
        """Have the control connection write what is settled."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake.set()

    async def drain(self) -> None:
        """Wait until everything settled is written (what Redis refuses by itself excepted)."""
        while not self.is_empty:
            self._finished.clear()
            self.flush_now()
            await self._finished.wait()

    def ride(self) -> Flush | None:
        """A flush to send in front of a read; None when there is none that fits into one call."""
        flush = self.take()
        if flush is None:
            return None
        flush.riding = len(flush.packed) == 1
        if not flush.riding:
            self.flush_now()
            return None
        return flush

    def missed(self, flush: Flush) -> None:
        """The ride brought no answer: control sends the same calls until one comes."""
        if self.under_way is flush:
            flush.riding = False
            self.flush_now()

    def take(self) -> Flush | None:
        """All that is settled, packed; None when that is nothing or a flush is under way."""
        if self.under_way is not None:
            return None
        flushed, ids = [], []
        settlements: list[Settlement] = []
        size = 0
        for route in self.routes:
            done = route.done
            if done:
                route.done = []
                flushed.append((route, done))
                size += len(done)
                plain = [entry.id for entry in done if entry.plain and entry.outputs is None]
                ids += plain
                if len(plain) < len(done):
                    settlements += [
                        self._success(entry)
                        for entry in done
                        if not entry.plain or entry.outputs is not None
                    ]
        decided, self.decided = self.decided, []
        if not size and not decided:
            return None
        settlements += [self._settlement(*one) for one in decided]
        packed = self.committer.pack(ids, settlements)
        self.under_way = Flush(packed, flushed, decided, size + len(decided))
        return self.under_way

    async def run(self) -> None:
        """Write flushes on control until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            flush = self.under_way or self.take()
            if flush is not None and not flush.riding:
                await self._send(flush)

    async def _send(self, flush: Flush) -> None:
        while True:
            try:
                refused = await self.committer.send(self.control, flush.packed)
            except REDIS_ERRORS as error:
                self.metrics.counts["redis_errors"] += 1
                await asyncio.sleep(self.outage.begin(error))
            else:
                self.outage.end()
                self.finish(flush, refused)
                return

    def finish(self, flush: Flush, refused: Verdicts) -> None:
        """Act on the verdicts of an answered flush: everything not refused is done."""
        self.under_way = None
        self.metrics.counts["commits"] += 1
        self.metrics.commit_entries.add(flush.size)
        for route, entries in flush.done:
            self._finish_done(route, entries, refused)
        for entry, label, decision in flush.decided:
            if not refused or not _failed(entry, refused):
                self.holding.drop(entry)
            if not refused or not self._refused(entry, label, decision, refused):
                self.metrics.events[label, OUTCOMES[decision.kind]] += 1
                if decision.kind in COUNTED:
                    self.metrics.counts[COUNTED[decision.kind]] += 1
        self.on_room()
        self._finished.set()
        if self.ready:
            self.flush_soon()

    def _finish_done(self, route: Route, entries: list[Entry], refused: Verdicts) -> None:
        main, drop = self.holding.main, self.holding.drop
        for entry in entries:
            if not entry.plain:
                if not refused or not _failed(entry, refused):
                    drop(entry)
            elif main.get(entry.id) is entry:
                del main[entry.id]
        done = len(entries)
        if refused:
            done -= sum(self._refused(entry, route.label, None, refused) for entry in entries)
        self.metrics.events[route.label, "done"] += done

    def _refused(
        self, entry: Entry, label: str, decision: Decision | None, refused: Verdicts
    ) -> bool:
        """Handle one verdict that is not "done"; False when there is none for this entry."""
        verdict = refused.get((entry.source, entry.id))
        if verdict is None or (entry.trimmed and verdict.kind is VerdictKind.GONE):
            return False
        counts = self.metrics.counts
        if verdict.kind is VerdictKind.DUPLICATE:
            counts["duplicates"] += 1
            self.metrics.events[label, "duplicate"] += 1
        elif verdict.kind is VerdictKind.TRIMMED:
            counts["trimmed"] += 1
            logger.error("entry %s was trimmed before its retry: lost", entry.id.decode())
        elif verdict.kind is VerdictKind.FAILED:
            self._postpone(entry, label, decision, verdict)
        else:
            entry.lost = True
            counts["lost"] += 1
            logger.warning(
                "entry %s was taken by another consumer: result discarded", entry.id.decode()
            )
        return True

    def _postpone(
        self, entry: Entry, label: str, decision: Decision | None, verdict: Verdict
    ) -> None:
        """Redis refused this one entry's settlement: hold it, and try the same again later."""
        counts = self.metrics.counts
        counts["commit_failures"] += 1
        if counts["commit_failures"] == 1 or counts["commit_failures"] % 1000 == 0:
            logger.error(
                "entry %s cannot be settled as %s: %s; it stays pending and is tried again",
                entry.id.decode(),
                decision.kind.value if decision else "ack",
                sentence(Exception(verdict.reason)),
            )
        self.holding.add([entry])
        self.postponed.add(entry)
        again = decision or Decision(Kind.ACK)
        asyncio.get_running_loop().call_later(REFUSED_PAUSE, self._again, entry, label, again)

    def _again(self, entry: Entry, label: str, decision: Decision) -> None:
        self.postponed.discard(entry)
        self.settle(entry, label, decision)
        self.flush_soon()

    def _success(self, entry: Entry) -> Settlement:
        """An end that needs more than a plain acknowledgement of a first delivery."""
        mark = None
        if self.window_ms and entry.event_id:
            mark = Mark(entry.event_id, self.window_ms, entry.original_id)
        return Settlement(
            entry.source,
            entry.id,
            entry.delivery_count,
            _DONE,
            entry.outputs or (),
            mark,
            not entry.trimmed,
        )

    def _settlement(self, entry: Entry, _: str, decision: Decision) -> Settlement:
        if decision.kind is Kind.ACK:
            return self._success(entry)
        outcome: Ack | Park | DeadLetter = _DONE
        if decision.kind is Kind.RETRY:
            delay_ms = max(0, round(decision.delay * 1000))
            outcome = Park(delay_ms, decision.error, failure=decision.failed)
        elif decision.kind is Kind.DEAD_LETTER:
            outcome = DeadLetter(
                entry.fields, decision.error, decision.error_type, entry.original_id
            )
        return Settlement(
            entry.source, entry.id, entry.delivery_count, outcome, fenced=not entry.trimmed
        )


def _failed(entry: Entry, refused: Verdicts) -> bool:
    verdict = refused.get((entry.source, entry.id))
    return verdict is not None and verdict.kind is VerdictKind.FAILED


_DONE = Ack()
