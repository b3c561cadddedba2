"""From how an event ended to its settlement: decided, logged, handed to the settler.

Nothing here raises, whatever a handler did: it settles its own entry and nothing else.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from headrace.entry import Entry
from headrace.handler import invalid_payload as payload_reason
from headrace.outcomes import Outcome, Reject
from headrace.worker.log_limit import LogLimit
from headrace.worker.routes import Route
from headrace.worker.settling.decision import (
    Decision,
    HandlerTimeout,
    Kind,
    Policy,
    crashed_too_often,
    dead_letter,
    decide,
    invalid_payload,
    unknown_type,
)
from headrace.worker.settling.settler import Settler

logger = logging.getLogger("headrace.worker")

UNKNOWN = "unknown"
INVALID_PAYLOAD = invalid_payload("").error_type
MAX_LINES = 20
"""Log lines per handler, kind of end and error, each LogLimit interval."""


def timeout_of(route: Route | None) -> HandlerTimeout:
    """How a handler ends that ran too long."""
    seconds = route.timeout if route else 0.0
    return HandlerTimeout(f"the handler ran longer than its time-out of {seconds:g} s")


class Endings:
    """Shared by the slots and the dispatcher of one worker."""

    def __init__(self, settler: Settler, policy: Policy) -> None:
        self._settler = settler
        self._policy = policy
        self._lines = LogLimit(burst=MAX_LINES)
        self._tracebacks = LogLimit()

    def failed(self, route: Route, entry: Entry, ending: BaseException) -> None:
        """The handler raised `ending`, or returned it."""
        decision = self._decide(entry, ending)
        self._settler.settle(entry, route.label, decision)
        if decision.kind is not Kind.SKIP:
            self._log(entry, route.label, decision, ending)

    def unfit(self, route: Route, entry: Entry, error: BaseException) -> None:
        """The payload did not become the handler's argument."""
        try:
            reason = payload_reason(error)
        except BaseException:
            reason = f"invalid payload: {_name(error)}"
        decision = _printable(invalid_payload(reason))
        self._settler.settle(entry, route.label, decision)
        self._log(entry, route.label, decision, error)

    def unknown(self, entry: Entry) -> None:
        """No handler takes this type and version."""
        decision = unknown_type(entry, self._policy)
        self._settler.settle(entry, UNKNOWN, decision)
        self._log(entry, UNKNOWN, decision)

    def crashed(self, route: Route, entry: Entry) -> bool:
        """Settle a suspect that took its process down too often; False: it gets another try."""
        if not crashed_too_often(entry, self._policy):
            return False
        killed = entry.record.killed
        reason = f"the worker process died {killed} times while it ran this event alone"
        decision = dead_letter(reason, "Crash")
        self._settler.settle(entry, route.label, decision)
        self._log(entry, route.label, decision)
        return True

    def _decide(self, entry: Entry, ending: BaseException) -> Decision:
        try:
            return _printable(decide(entry, ending, self._policy))
        except BaseException:
            reason = f"a {_name(ending)} that cannot be read"
            if issubclass(type(ending), Reject):
                return dead_letter(reason, "Reject", failed=True)
            return decide(entry, Unreadable(reason), self._policy)

    def _log(
        self, entry: Entry, label: str, decision: Decision, error: BaseException | None = None
    ) -> None:
        with suppress(Exception):  # a filter or a handler of somebody's logging may fail
            key = f"{label} {decision.kind} {decision.error_type}"
            if not (times := self._lines.due(key)):
                return
            level, end = _end(decision)
            more = f" ({times - 1} more like it since the last line)" if times > 1 else ""
            text = _loggable(decision, error)
            logger.log(
                level,
                "%s: entry %s %s%s%s",
                label,
                entry.id.decode(),
                end,
                f": {text}" if text else "",
                more,
                exc_info=self._traceback(label, decision, error),
                extra={
                    "entry_id": entry.id.decode(),
                    "handler": label,
                    "attempt": entry.record.failures + entry.record.crashes + 1,
                    "error_type": decision.error_type,
                },
            )

    def _traceback(
        self, label: str, decision: Decision, error: BaseException | None
    ) -> BaseException | None:
        """The exception to log with its traceback: of each kind one now and then."""
        if error is None or error.__traceback__ is None or isinstance(error, Outcome):
            return None
        if decision.error_type == INVALID_PAYLOAD or _shows_input(error):
            stand_in = Exception(f"{_name(error)}, whose text shows the payload")
            error = stand_in.with_traceback(error.__traceback__)
        return error if self._tracebacks.due(f"{label} {decision.error_type}") else None


class Unreadable(Exception):
    """Stands for an exception that fails when it is looked at."""


def _end(decision: Decision) -> tuple[int, str]:
    """The level of the line, and the entry's end in words."""
    if decision.kind is Kind.RETRY:
        again = f"comes again in {decision.delay:.3g} s"
        if decision.failed:
            return logging.WARNING, f"failed and {again}"
        return logging.INFO, again
    if decision.kind is Kind.DEAD_LETTER:
        return logging.ERROR, "is a dead letter"
    return logging.INFO, "is skipped: no handler takes its type and version"


def _loggable(decision: Decision, error: BaseException | None) -> str:
    """The reason, without anything of the payload: what a deserializer or a model says of it may
    hold some."""
    if error is not None and _shows_input(error):
        return payload_reason(error) if isinstance(error, ValidationError) else _name(error)
    if decision.error_type == INVALID_PAYLOAD:
        return f"invalid payload: {_name(error)}"
    if isinstance(error, (Outcome, HandlerTimeout)) or error is None:
        return decision.error
    return f"{decision.error_type}: {decision.error}"


def _shows_input(error: BaseException) -> bool:
    """True when the text of the exception, or of one behind it, holds the values it is about."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        if isinstance(one, ValidationError):
            return True
        seen.add(id(one))
        one = one.__cause__ or one.__context__
    return False


def _printable(decision: Decision) -> Decision:
    """The same with a text that can be encoded. Raises when it has no text."""
    text = decision.error.encode("utf-8", "replace").decode()
    name = decision.error_type.encode("utf-8", "replace").decode()
    if (text, name) == (decision.error, decision.error_type):
        return decision
    return Decision(decision.kind, text, name, decision.delay, decision.failed)


def _name(error: Any) -> str:
    name = type.__getattribute__(type(error), "__name__")
    return str(name).encode("utf-8", "replace").decode()
