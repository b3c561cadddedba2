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
from functools import partial
from typing import Any

from headrace.entry import Entry
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.settlement import Verdict, VerdictKind, Verdicts
from headrace.worker.group_guard import GroupGuard
from headrace.worker.held import Holding
from headrace.worker.metrics import Metrics
from headrace.worker.outage import REFUSALS, Outage
from headrace.worker.rider import Ride
from headrace.worker.routes import Route
from headrace.worker.settling.commits import Commits
from headrace.worker.settling.decision import ACK, Decision, Kind, Policy
from headrace.worker.settling.flush import Decided, Done, Flush, make_flush
from headrace.worker.settling.lines import Lines
from headrace.worker.settling.postponed import Postponed
from headrace.worker.settling.refusals import instead

logger = logging.getLogger("headrace.worker")

LATEST_SECONDS = 0.02
"""How long a settled entry waits at most until it is sent, however busy the slots are."""
GATHER_SECONDS = 0.001
"""How long a settled entry waits for the next read to carry it before control does."""
REFUSED_SECONDS = 5.0
"""Between two tries to settle an entry for which nothing at all can be written."""
RENEWAL_SECONDS = 0.05
"""Between two looks whether the renewal that is under way has ended."""
COUNTERS = {
    Kind.RETRY: "retries",
    Kind.DEAD_LETTER: "dead_letters",
    Kind.DUPLICATE: "duplicates",
}
"""Decisions with a counter of their own beside `events`."""


@dataclass(slots=True)
class Settler:
    """Owns the commits. All methods run in the worker's loop."""

    commits: Commits
    holding: Holding
    routes: list[Route]
    metrics: Metrics
    policy: Policy
    group: GroupGuard
    window_ms: int = 0
    """Deduplication window; 0 = the group does not deduplicate."""
    on_room: Callable[[], None] = lambda: None
    """Called after each flush: held entries became fewer."""
    on_parked: Callable[[float], None] = lambda _: None
    """Called with the delay, in seconds, of each entry that was parked."""
    decided: Decided = field(default_factory=list)
    postponed: Postponed = field(default_factory=Postponed)
    under_way: Flush | None = None
    outage: Outage = field(default_factory=lambda: Outage("commit"))
    _lines: Lines = field(default_factory=Lines)
    _finished: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    deadline: asyncio.TimerHandle | None = None
    """When what has ended is sent at the latest; None when nothing has since the last time."""
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing settled waits to be written."""
        return self.under_way is None and not self.ready

    @property
    def ready(self) -> int:
        """Entries that the next flush will carry."""
        return len(self.decided) + sum(len(route.done) for route in self.routes)

    @property
    def leaving(self) -> int:
        """Held entries that will be gone when a read that starts now is answered."""
        return self.ready if self.under_way is None and not self.postponed.entries else 0

    def settle(self, entry: Entry, label: str, decision: Decision) -> None:
        """Take note of an entry's end, other than the success that `Route.done` carries."""
        self.decided.append((entry, label, decision))
        if self.deadline is None:
            self.set_deadline()

    def set_deadline(self) -> None:
        """An entry has ended: it is sent soon, also if no slot runs out of work. Called when there
        is no `deadline`."""
        self.deadline = asyncio.get_running_loop().call_later(LATEST_SECONDS, self._send_overdue)

    def _send_overdue(self) -> None:
        self.deadline = None
        if self.under_way is None and self.ready:
            self.send_now()

    def flush_soon(self) -> None:
        """There may be something to write; called when a slot runs out of work."""
        if self._timer is None and self.under_way is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self.send_now)

    def send_now(self) -> None:
        """Have the control connection write what is settled."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake.set()

    async def drain(self) -> None:
        """Wait until everything settled is written (what Redis refuses by itself excepted)."""
        while not self.is_empty:
            self._finished.clear()
            self.send_now()
            await self._finished.wait()

    def take_for_read(self) -> Ride | None:
        """A flush to send in front of a read; None when there is none that fits into one call."""
        flush = self.take()
        if flush is None:
            return None
        if len(flush.packed) > 1 or not flush.packed[0].rides:
            self.send_now()
            return None
        flush.sent_with_read = True
        return Ride(
            flush.packed[0].command(),
            answered=partial(self._answered, flush),
            failed=partial(self._read_failed, flush),
        )

    def _answered(self, flush: Flush, reply: Any) -> None:
        self.finish(flush, flush.packed[0].read(reply))

    def _read_failed(self, flush: Flush) -> None:
        """Control sends the same calls until an answer comes; it also knows the script's text."""
        if self.under_way is flush:
            flush.sent_with_read = False
            self.send_now()

    def take(self) -> Flush | None:
        """All that is settled, packed; None when that is nothing or a flush is under way."""
        if self.under_way is not None:
            return None
        done: Done = []
        for route in self.routes:
            if route.done:
                if ours := self._ours(route.done):
                    done.append((route, ours))
                route.done = []
        decided, self.decided = self.decided, []
        if not done and not decided:
            return None
        self.under_way = make_flush(
            self.commits, done, decided, window_ms=self.window_ms, policy=self.policy
        )
        self.holding.on_its_way = self.under_way.entries
        return self.under_way

    def _ours(self, entries: list[Entry]) -> list[Entry]:
        """Without those that were lost while they ran: the handler may have returned because
        `ctx.lost` told it to. Where the group was made anew and the entry came to this worker
        again, Redis would take that for the end of the later run."""
        lost = [entry for entry in entries if entry.lost]
        if not lost:
            return entries
        for entry in lost:
            self._drop(entry)
        self.metrics.counts["lost"] += len(lost)
        self._lines.lost(len(lost))
        self.on_room()
        self._finished.set()
        return [entry for entry in entries if not entry.lost]

    async def run(self) -> None:
        """Write flushes on control until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            flush = self.under_way or self.take()
            if flush is not None and not flush.sent_with_read:
                await self._send(flush)

    async def _send(self, flush: Flush) -> None:
        while True:
            try:
                await self.group.restore()
                verdicts = await self.commits.send(flush.packed)
            except (*REDIS_ERRORS, *REFUSALS) as error:
                self.metrics.counts["redis_errors"] += 1
                self.group.note(error)
                await asyncio.sleep(self.outage.begin(error))
            else:
                self.outage.end()
                self.finish(flush, verdicts)
                return

    def finish(self, flush: Flush, verdicts: Verdicts) -> None:
        """Act on an answered flush: everything without a verdict is done."""
        self.under_way = None
        self.metrics.counts["commits"] += 1
        self.metrics.commit_entries.add(flush.size)
        lost = self.metrics.counts["lost"]
        for route, entries in flush.done:
            self._finish_done(route, entries, verdicts)
        for entry, label, decision in flush.decided:
            if verdicts and self._judge(entry, label, decision, verdicts):
                continue
            self._drop(entry)
            self.metrics.events[label, decision.kind] += 1
            if decision.kind in COUNTERS:
                self.metrics.counts[COUNTERS[decision.kind]] += 1
            if decision.kind is Kind.RETRY:
                self.on_parked(decision.delay)
        self.holding.on_its_way = tuple
        self._lines.lost(self.metrics.counts["lost"] - lost)
        self.on_room()
        self._finished.set()
        if self.ready:
            self.flush_soon()

    def _finish_done(self, route: Route, entries: list[Entry], verdicts: Verdicts) -> None:
        if verdicts:
            entries = [e for e in entries if not self._judge(e, route.label, ACK, verdicts)]
        main, drop = self.holding.main, self.holding.drop
        for entry in entries:
            if not entry.plain:
                drop(entry)
            elif main.get(entry.id) is entry:
                del main[entry.id]
        self.metrics.events[route.label, "done"] += len(entries)

    def _drop(self, entry: Entry) -> None:
        self.holding.drop(entry)
        self.postponed.discard(entry)

    def _judge(self, entry: Entry, label: str, decision: Decision, verdicts: Verdicts) -> bool:
        """Handle a verdict that is not "done"; False when there is none for this entry."""
        verdict = verdicts.get((entry.source, entry.id))
        if verdict is None:
            return False
        counts = self.metrics.counts
        if verdict.kind is VerdictKind.FAILED:
            self._refused(entry, label, decision, verdict)
            return True
        if verdict.kind is VerdictKind.GONE and self._trimmed_meanwhile(entry, label, decision):
            return True
        self._drop(entry)
        if verdict.kind is VerdictKind.DUPLICATE:
            counts["duplicates"] += 1
            self.metrics.events[label, Kind.DUPLICATE] += 1
        elif verdict.kind is VerdictKind.TRIMMED:
            counts["trimmed"] += 1
            logger.error("entry %s was trimmed before its retry: lost", entry.id.decode())
        else:
            entry.lost = True
            counts["lost"] += 1
        return True

    def _trimmed_meanwhile(self, entry: Entry, label: str, decision: Decision) -> bool:
        """True where a renewal took the entry out of the pending list, or may have: its body was
        trimmed while this flush, which was packed with the fence, was on its way. Its outcome is
        written without one."""
        if entry.trimmed:
            self.settle(entry, label, decision)
            return True
        if self.holding.renewing:
            asyncio.get_running_loop().call_later(
                RENEWAL_SECONDS, self._again, entry, label, decision
            )
            return True
        return False

    def _refused(self, entry: Entry, label: str, decision: Decision, verdict: Verdict) -> None:
        """Nothing was written for this entry, so it is settled otherwise, or held."""
        self.metrics.counts["commit_failures"] += 1
        self._lines.refused(entry, decision, verdict.reason)
        if (other := instead(entry, decision, verdict.reason)) is not None:
            self.settle(entry, label, other)
            return
        self.postponed.add(entry, verdict.reason)
        asyncio.get_running_loop().call_later(REFUSED_SECONDS, self._again, entry, label, decision)

    def _again(self, entry: Entry, label: str, decision: Decision) -> None:
        self.settle(entry, label, decision)
        self.flush_soon()
