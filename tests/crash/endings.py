"""Everything that a handler can raise or return, drawn from a grammar by a seed.

    ending  -> raise error | raise outcome | return value | emit of something wrong
    error   -> any exception of Python's own, or one of ours that is made to annoy, of some values
    outcome -> Retry | Reject | Skip, of a value; or the class itself
    value   -> nothing, text that cannot be printed, numbers that are none, objects that refuse

Whatever it is, it must settle its own entry and nothing else.
"""

from __future__ import annotations

import asyncio
import builtins
import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import headrace

OUTPUT = os.environ.get("CRASH_OUTPUT", "{crash}:out")


class Fate(StrEnum):
    """What must become of an event that ends so."""

    DONE = "done"
    """Its effect comes sooner or later, and no dead letter is written."""
    DEAD = "dead"
    """Exactly one dead letter is written."""
    ANY = "any"
    """Either, but it is settled."""


@dataclass(frozen=True)
class Ending:
    """`act` raises or returns; `name` says what, for people."""

    name: str
    fate: Fate
    act: Callable[[headrace.Context | None], Any]
    at_once: bool = False
    """It may settle the event at its first attempt, so that the effect has to come before it."""


class Refuses:
    """An object that nothing can be asked."""

    def __str__(self) -> str:
        raise RuntimeError("no text on purpose")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("no truth on purpose")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equal on purpose")

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        raise RuntimeError("no length on purpose")


class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text on purpose")

    __repr__ = __str__


class NotText(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307


class ExitText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class NeedsArguments(Exception):
    def __init__(self, one: object, two: object) -> None:
        super().__init__(one, two)


class Bare(BaseException):
    """No Exception, as KeyboardInterrupt is none."""


VALUES: tuple[Callable[[], Any], ...] = (
    *(lambda: None, lambda: "", lambda: "plain words", lambda: b"\xff\x00", lambda: "\ud800"),
    *(lambda: "\0\n\r", lambda: "x" * 100_000, lambda: 0, lambda: -1, lambda: math.nan),
    *(lambda: math.inf, lambda: 10**400, lambda: True, lambda: ..., lambda: [], lambda: {1: {2}}),
    *(Refuses, NoText, NotText, lambda: ValueError("held, not raised"), lambda: object),
    *(lambda: (n for n in ()), lambda: ValueError, lambda: headrace.Retry, lambda: timedelta.max),
)
AFTER = (math.inf, -math.inf, math.nan, 1e17, 1e300, -1, 10**400, "5", timedelta.max, 0, 0.05, None)
ODD_ERRORS: tuple[type[BaseException], ...] = (NoText, NotText, ExitText, Bare)
ERRORS = ODD_ERRORS + tuple(
    one
    for one in vars(builtins).values()
    if isinstance(one, type) and issubclass(one, BaseException)
)


def draw(seed: int) -> Ending:
    """The ending of this seed, always the same."""
    rng = random.Random(seed)
    return rng.choice((_error, _error, _error, _returned, _outcome, _outcome, _emitted))(rng)


def _error(rng: random.Random) -> Ending:
    kind, value = rng.choice(ERRORS), rng.choice(VALUES)
    shape = rng.randrange(6)

    def act(ctx: headrace.Context | None) -> Any:
        if shape == 0:
            raise kind  # Python makes the object, or fails to
        error = _made(kind, value())
        if shape == 1:
            raise error from _made(ValueError, value())
        if shape == 2:
            raise BaseExceptionGroup("several", [error, NoText()])
        if shape == 3:
            error.__context__ = ring = NoText()
            ring.__context__ = error
        raise error

    return Ending(f"raise {kind.__name__} ({shape})", Fate.DONE, act)


def _made(kind: type[BaseException], value: Any) -> BaseException:
    for arguments in ((value,), (), ("utf-8", b"\xff", 0, 1, "why"), ("many", [ValueError()])):
        try:
            return kind(*arguments)
        except Exception:
            continue
    return asyncio.CancelledError(value)


def _returned(rng: random.Random) -> Ending:
    value = rng.choice(VALUES)
    return Ending("return something", Fate.ANY, lambda _: value(), at_once=True)


def _outcome(rng: random.Random) -> Ending:
    value, after = rng.choice(VALUES), rng.choice(AFTER)
    kind = rng.choice(("retry", "retry", "reject", "skip", "class"))
    outcome = rng.choice((headrace.Retry, headrace.Reject, headrace.Skip))

    def act(ctx: headrace.Context | None) -> Any:
        if kind == "retry":
            raise headrace.Retry(value(), after=after)  # type: ignore[arg-type]
        if kind == "reject":
            raise headrace.Reject(value())
        if kind == "skip":
            raise headrace.Skip(value())
        raise outcome

    # Retry never settles; the others do, unless they cannot be made of that value.
    fate = Fate.DONE if kind == "retry" else Fate.ANY
    return Ending(f"raise {kind}", fate, act, at_once=kind != "retry")


def _emitted(rng: random.Random) -> Ending:
    payload = rng.choice((object(), {"x": math.nan}, {1, 2}, Refuses(), headrace.Event, "\ud800"))
    kind, stream = rng.choice(("out", "", None, 5)), rng.choice(("undeclared", OUTPUT, "", None))

    def act(ctx: headrace.Context | None) -> Any:
        if ctx is not None:
            ctx.emit(stream, headrace.Event(kind, payload))
        raise RuntimeError("what was emitted goes with the failure")

    return Ending("emit something", Fate.DONE, act)
