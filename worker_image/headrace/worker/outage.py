"""Redis away: what counts as that, how it is said once, and how long to wait.

Any refusal by the server is an outage of the loop, not the end of it: a failover, a full memory or
a missing right ends some day without a restart of ours, and until then nothing is lost.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from time import monotonic

from headrace.streams import refusals
from headrace.streams.groups import NotAStream, OwnedByAnother
from headrace.worker.backoff import attempts

logger = logging.getLogger("headrace.worker")

QUIET_SECONDS, LASTING_SECONDS = 60.0, 5.0
"""An outage so soon after another is told only if it lasts."""
REFUSALS = (OwnedByAnother, NotAStream)
"""What a person must end. They are tried again, for a person may."""


def is_missing_group(error: BaseException) -> bool:
    """True for NOGROUP, and for UNBLOCKED: the stream was deleted (or the server became a replica)
    under a blocked read."""
    text = str(error)
    return "NOGROUP" in text or "UNBLOCKED" in text


def sentence(error: BaseException) -> str:
    """The error in one line, with what to do about it where that is known."""
    text = refusals.describe(error)
    hint = refusals.hint(text)
    return f"{text} ({hint})" if hint else text


class Outage:
    """One line when Redis goes away, one for each further reason, one when it is back. Where it
    comes and goes, once a minute, and when it stays away."""

    def __init__(self, what: str, clock: Callable[[], float] = monotonic) -> None:
        self._what = what
        self._clock = clock
        self._told: set[str] = set()
        self._told_at = -math.inf
        self._since: float | None = None
        self.reason = ""
        self._waits: Iterator[float] | None = None

    @property
    def seconds(self) -> float:
        """How long it has lasted; 0 while Redis answers."""
        return 0.0 if self._since is None else self._clock() - self._since

    def begin(self, error: BaseException) -> float:
        """Note a failed try; the seconds to wait before the next one."""
        self.reason = sentence(error)
        if self._since is None:
            self._since = self._clock()
        kind = f"{type(error).__name__}{str(error)[:20]}"
        if kind not in self._told and self._worth_a_line():
            logger.warning("%s: %s; trying again with back-off", self._what, self.reason)
            self._told.add(kind)
            self._told_at = self._clock()
        if self._waits is None:
            self._waits = attempts()
        return next(self._waits)

    def _worth_a_line(self) -> bool:
        is_first = self._clock() - self._told_at > QUIET_SECONDS
        return bool(self._told) or is_first or self.seconds > LASTING_SECONDS

    def end(self) -> None:
        """Note a successful try."""
        if self._told:
            logger.info("%s: Redis answers again", self._what)
            self._told.clear()
        self._since = None
        self._waits = None
