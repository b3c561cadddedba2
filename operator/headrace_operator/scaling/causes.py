"""Why a group has this number of workers. A closed set: it is a metric label.

docs/reference/operator-metrics.md explains each; the decision's reason holds the figures.
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
