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

MAX_AFTER_SECONDS = 366 * 86_400


class Outcome(Exception):
    """Base of the decisions; a batch handler may also return them, one per event.

    `reason` may be anything with a text, such as the exception that led to it.
    """

    def __init__(self, reason: object = "") -> None:
        self.reason = _text(reason)
        super().__init__(self.reason)


class Skip(Outcome):
    """This event needs nothing: acknowledge it, count it as skipped."""


class Reject(Outcome):
    """This event will never succeed: put it among the dead letters now, with the reason."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)


class Retry(Outcome):
    """Try again later: after the group's back-off, or after `after` (seconds or a timedelta).

    Without `after` it counts as a failure: after `delivery.maxRetries` of them the event is a dead
    letter. With `after` the event waits for something else, and may wait as often as it takes;
    `counts` says otherwise. Raises ValueError for an `after` that is no time within a year.
    """

    def __init__(
        self,
        reason: object = "",
        *,
        after: float | timedelta | None = None,
        counts: bool | None = None,
    ) -> None:
        super().__init__(reason)
        self.after = None if after is None else _seconds(after)
        self.counts = after is None if counts is None else counts


def _seconds(after: float | timedelta) -> float:
    seconds = after.total_seconds() if isinstance(after, timedelta) else after
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 <= seconds <= MAX_AFTER_SECONDS  # nan neither
    ):
        raise ValueError(
            f"Retry(after={after!r}): give 0 or more seconds, at most a year, or a timedelta"
        )
    return seconds


def _text(reason: object) -> str:
    if isinstance(reason, str):
        return reason
    try:
        return str(reason) or type(reason).__name__
    except Exception:  # a __str__ that fails must not hide what the handler decided
        return type(reason).__name__
