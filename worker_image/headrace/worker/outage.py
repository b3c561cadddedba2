"""Redis away: what counts as that, how it is said once, and how long to wait.

Any refusal by the server is an outage of the loop, not the end of it: a failover, a full memory or
a missing right ends some day without a restart of ours, and until then nothing is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from time import monotonic

from headrace.streams import refusals
from headrace.streams.groups import NotAStream, OwnedByAnother
from headrace.worker.backoff import attempts

logger = logging.getLogger("headrace.worker")

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
    """One line when Redis goes away (or the reason changes), one when it is back."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said: str | None = None
        self._since: float | None = None
        self.reason = ""
        self._waits: Iterator[float] | None = None

    @property
    def seconds(self) -> float:
        """How long it has lasted; 0 while Redis answers."""
        return 0.0 if self._since is None else monotonic() - self._since

    def begin(self, error: BaseException) -> float:
        """Note a failed try; the seconds to wait before the next one."""
        kind = f"{type(error).__name__}{str(error)[:20]}"
        if self._said != kind:
            logger.warning("%s: %s; trying again with back-off", self._what, sentence(error))
            self._said = kind
        self.reason = sentence(error)
        if self._since is None:
            self._since = monotonic()
        if self._waits is None:
            self._waits = attempts()
        return next(self._waits)

    def end(self) -> None:
        """Note a successful try."""
        if self._said is not None:
            logger.info("%s: Redis answers again", self._what)
            self._said = None
        self._since = None
        self._waits = None
