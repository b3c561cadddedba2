"""One flush: what it carries, and how that is packed for the commit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from headrace.entry import Entry
from headrace.streams.commit import Packed
from headrace.streams.settlement import Settlement
from headrace.worker.routes import Route
from headrace.worker.settling.commits import Commits
from headrace.worker.settling.decision import ACK, Decision, Policy, decide
from headrace.worker.settling.settlements import settlement, success

logger = logging.getLogger("headrace.worker")

Done = list[tuple[Route, list[Entry]]]
"""Per route, the entries that its handler ended well."""
Decided = list[tuple[Entry, str, Decision]]
"""Entries with the label of their handler and any other end."""


@dataclass(slots=True)
class Flush:
    """What one commit carries."""

    packed: list[Packed]
    done: Done
    decided: Decided
    size: int = 0
    sent_with_read: bool = False
    """Its answer is awaited by the reader: control must leave it alone."""

    def entries(self) -> Iterator[Entry]:
        """All whose end it carries."""
        for _, entries in self.done:
            yield from entries
        for entry, _, _ in self.decided:
            yield entry


def make_flush(
    commits: Commits, done: Done, decided: Decided, *, window_ms: int, policy: Policy
) -> Flush:
    """Pack these ends. What a handler gave (a number, an output) may be nothing that can be
    written: then its entry failed, and the others are settled as they ended."""
    try:
        packed = _pack(commits, done, decided, window_ms)
    except Exception:
        done, decided = _fail_unpackable(commits, done, decided, window_ms, policy)
        packed = _pack(commits, done, decided, window_ms)
    return Flush(packed, done, decided, sum(len(entries) for _, entries in done) + len(decided))


def _pack(commits: Commits, done: Done, decided: Decided, window_ms: int) -> list[Packed]:
    ids: list[bytes] = []
    settlements: list[Settlement] = []
    for _, entries in done:
        plain = [entry.id for entry in entries if entry.plain and entry.outputs is None]
        ids += plain
        if len(plain) < len(entries):
            settlements += [
                success(entry, window_ms)
                for entry in entries
                if not entry.plain or entry.outputs is not None
            ]
    settlements += [settlement(entry, decision, window_ms) for entry, _, decision in decided]
    return commits.pack(ids, settlements)


def _fail_unpackable(
    commits: Commits, done: Done, decided: Decided, window_ms: int, policy: Policy
) -> tuple[Done, Decided]:
    packable: Done = []
    ends: Decided = []

    def fails(entry: Entry, label: str, decision: Decision) -> bool:
        try:
            commits.pack((), [settlement(entry, decision, window_ms)])
        except Exception as error:
            logger.error("the end of entry %s cannot be written: %s", entry.id.decode(), error)
            ends.append((entry, label, decide(entry, error, policy)))
            return True
        return False

    for route, entries in done:
        packable.append((route, [e for e in entries if not fails(e, route.label, ACK)]))
    ends += [one for one in decided if not fails(*one)]
    return packable, ends
