"""What a handler's return value says of its event: nearly always nothing, it is done."""

from __future__ import annotations

from inspect import isasyncgen, isgenerator
from typing import Any

from headrace.outcomes import returned_ending


def ending_of(result: Any) -> BaseException | None:
    """An exception that was returned instead of raised counts as raised: to acknowledge the event
    would lose it. So would a generator, which nobody runs."""
    if result is None:
        return None
    if isgenerator(result) or isasyncgen(result):
        return TypeError("the handler returned a generator, which nobody runs")
    return returned_ending(result)


def batch_endings(outcomes: Any, size: int) -> list[BaseException | None]:
    """What a batch handler returned -> one ending per event. Raises TypeError for anything else,
    and an exception that was returned for all of them."""
    if isinstance(outcomes, list) and len(outcomes) == size:
        return [_one_ending(one) for one in outcomes]
    if (ending := ending_of(outcomes)) is not None:
        raise ending
    if outcomes is not None:
        raise TypeError(f"a batch handler returns None or a list of {size} outcomes, one per event")
    return [None] * size


def _one_ending(outcome: Any) -> BaseException | None:
    try:
        ending = ending_of(outcome)
    except BaseException as error:  # what fails when it is asked for its class
        return error
    if outcome is not None and ending is None:
        name = type(outcome).__name__
        return TypeError(f"a {name} is no outcome; use None, Retry, Reject, Skip or an exception")
    return ending
