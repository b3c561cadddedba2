"""What the settler tells the log: each thing once a while, with how often it happened."""

from __future__ import annotations

import logging

from headrace.entry import Entry
from headrace.worker.log_limit import LogLimit
from headrace.worker.outage import sentence
from headrace.worker.settling.decision import Decision

logger = logging.getLogger("headrace.worker")


class Lines:
    def __init__(self) -> None:
        self._limit = LogLimit()

    def refused(self, entry: Entry, decision: Decision, reason: str) -> None:
        """Redis did not carry the decision out; `reason` is what it said."""
        kind = decision.kind.name.lower()
        if times := self._limit.due(f"{kind} {reason}"):
            logger.error(
                "entry %s cannot be settled as %s: %s (%d such entries of late)",
                entry.id.decode(),
                kind,
                sentence(Exception(reason)),
                times,
            )

    def lost(self, count: int) -> None:
        """So many entries belonged to somebody else when they were settled."""
        if count and (times := self._limit.due("lost", count)):
            logger.warning(
                "%d entries were no longer ours (taken by another consumer, or their group was"
                " lost): their results are discarded",
                times,
            )
