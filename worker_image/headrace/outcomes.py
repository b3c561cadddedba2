"""What a handler may raise to decide an event's end.

| a handler              | the entry                                                               |
|------------------------|-------------------------------------------------------------------------|
| returns                | is acknowledged                                                         |
| raises `Skip`          | is acknowledged and counted as skipped                                  |
| raises `Retry`         | is parked and tried again, after the back-off or after `after`          |
| raises `Reject`        | goes to the dead letters at once                                        |
| raises anything else   | is retried with back-off, then goes to the dead letters                 |
"""

from __future__ import annotations

from datetime import timedelta


class Outcome(Exception):
    """Base of the decisions; a batch handler may also return them, one per event."""


class Skip(Outcome):
    """This event needs nothing: acknowledge it, count it as skipped."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Reject(Outcome):
    """This event will never succeed: put it among the dead letters now, with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(Outcome):
    """Try again later. `after` (seconds or a timedelta) replaces the group's back-off.

    A retry counts as a failure: after `delivery.maxRetries` of them the event is a dead letter.
    """

    def __init__(self, reason: str = "", *, after: float | timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        seconds = after.total_seconds() if isinstance(after, timedelta) else after
        if seconds is not None and seconds < 0:
            raise ValueError(f"Retry(after={after!r}) lies in the past; give 0 or more seconds")
        self.after = seconds
