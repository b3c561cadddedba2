"""What a handler may raise to decide an event's end.

| a handler              | the entry                                                               |
|------------------------|-------------------------------------------------------------------------|
| returns                | is acknowledged                                                         |
| raises `Skip`          | is acknowledged and counted as skipped                                  |
| raises `Retry`         | is parked and tried again, after the back-off or after `after`          |
| raises `Reject`        | goes to the dead letters at once                                        |
| raises anything else   | is retried with back-off, then goes to the dead letters                 |

`reason` may be anything, an exception above all: its text is what the dead letter and the log say.
"""

from __future__ import annotations

import math
from datetime import timedelta

MAX_AFTER_SECONDS = 10 * 365 * 86_400.0


class Outcome(Exception):
    """Base of the decisions; a handler may also return them, a batch handler one per event."""

    reason: str = ""

    def __init__(self, reason: object = "") -> None:
        self.reason = text_of(reason)
        super().__init__(self.reason)


class Skip(Outcome):
    """This event needs nothing more: acknowledge it, count it as skipped.

    What `ctx.emit` was given is still written. It is no failure.
    """


class Reject(Outcome):
    """This event will never succeed: put it among the dead letters now, with the reason."""


class Retry(Outcome):
    """Try again later: after the group's back-off, or `after` seconds (or a timedelta).

    Without `after` it counts as a failure: after `delivery.maxRetries` of them the event is a dead
    letter. With `after` the handler waits for something else, such as a rate limit: that counts
    only with `counts=True`, and may go on for ever; `ctx.delivery_count` says how long it has.
    Raises ValueError for an `after` that is negative, not finite, or above ten years.
    """

    after: float | None = None
    counts: bool = True

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
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ValueError(f"Retry(after={after!r}): give seconds or a timedelta")
    if not 0 <= seconds <= MAX_AFTER_SECONDS or not math.isfinite(seconds):
        raise ValueError(f"Retry(after={after!r}): give 0 or more seconds, at most ten years")
    return float(seconds)


def returned_ending(result: object) -> BaseException | None:
    """The exception that a handler returned instead of raising it; None for any other result.

    As `raise` does, it makes one from a class.
    """
    if isinstance(result, BaseException):
        return result
    if not isinstance(result, type) or not issubclass(result, BaseException):
        return None
    try:
        return result()
    except Exception as error:
        return error


def text_of(reason: object) -> str:
    """A reason as text, also when it is an exception, or something whose own text fails."""
    if isinstance(reason, str):
        return reason
    name, text = type(reason).__name__, message_of(reason)
    return f"{name}: {text}" if isinstance(reason, BaseException) and text else text or name


def message_of(thing: object) -> str:
    """What `str` says of it; "" where that fails."""
    try:
        return str(thing)
    except Exception:
        return ""
