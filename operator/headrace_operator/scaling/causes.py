"""Which rule set a group's number of workers: few enough to count by.

The words that go with a cause hold the figures; docs/reference/operator-metrics.md has them all.
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """In mode External nobody decides, so there is none."""

    BACKLOG = "Backlog"
    DELAY = "Delay"
    ARRIVALS = "Arrivals"
    RETRY_DUE = "RetryDue"
    IDLE = "Idle"
    STABILIZING = "Stabilizing"
    AT_MAXIMUM = "AtMaximum"
    AT_MINIMUM = "AtMinimum"
    BACKLOG_UNKNOWN = "BacklogUnknown"
    FALLBACK = "Fallback"
    WORKERS_CRASHING = "WorkersCrashing"
    FIXED = "Fixed"
    SUSPENDED = "Suspended"
    NOT_CLAIMED = "NotClaimed"
    GROUP_CONFLICT = "GroupConflict"
    NOT_IMPLEMENTED = "NotImplemented"
