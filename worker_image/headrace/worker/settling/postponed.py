"""Entries for which Redis writes nothing at all, held until it does."""

from __future__ import annotations

from dataclasses import dataclass, field

from headrace.entry import Entry
from headrace.worker.outage import Outage


@dataclass(slots=True)
class Postponed:
    """`outage` lasts while there are entries."""

    entries: set[Entry] = field(default_factory=set)
    outage: Outage = field(default_factory=lambda: Outage("settle"))

    def add(self, entry: Entry, reason: str) -> None:
        """Hold it; `reason` is what Redis said."""
        if not self.entries:
            self.outage.begin(Exception(reason))
        self.entries.add(entry)

    def discard(self, entry: Entry) -> None:
        """It is settled or lost, if it was held."""
        if self.entries:
            self.entries.discard(entry)
            if not self.entries:
                self.outage.end()
