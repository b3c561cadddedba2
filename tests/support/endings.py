"""What a handler can raise or return in Python, the odd things above all."""

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import headrace


def identity(value: Any) -> Any:
    return value


class SilentError(Exception):
    """Its text fails."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class TextlessError(Exception):
    """Its text is none."""

    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307


class ConstructedError(Exception):
    """As a class it cannot be raised."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(one, two)


class UnclassifiedError(Exception):
    """Fails when it is asked for its class."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class OddReject(headrace.Reject):
    """A reason that is no text."""

    def __init__(self) -> None:
        super().__init__("odd")
        self.reason = object()  # type: ignore[assignment]


class OddRetry(headrace.Retry):
    """A wait that is no number of seconds."""

    def __init__(self, after: Any) -> None:
        super().__init__("odd")
        self.after = after


class Unlucky:
    """Fails at whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no attribute")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        raise RuntimeError("no text")


async def _coroutine() -> None: ...


async def _failing_coroutine() -> None:
    raise SystemExit


async def _async_generator() -> AsyncIterator[None]:
    yield


def _generator() -> Iterator[None]:
    yield


TEXTS = {
    "no text": "",
    "long": "x" * 100_000,
    "surrogate": "\ud800",
    "zero byte": "\x00",
    "percent": "%s %d {0}",
    "lines": "a\nb",
}
ENDS_OF_THE_PROCESS = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
PLAIN = [ValueError, StopIteration, StopAsyncIteration, RecursionError, MemoryError, OSError]
CLASSES = [
    *ENDS_OF_THE_PROCESS,
    *PLAIN,
    SilentError,
    TextlessError,
    UnclassifiedError,
    headrace.Retry,
    headrace.Skip,
]
AFTERS = [float("inf"), float("nan"), 1e300, -1e300, -1, "soon", b"x", object()]

EXCEPTIONS: dict[str, Callable[[], Any]] = {
    **{f"class {kind.__name__}": partial(identity, kind) for kind in CLASSES},
    **{kind.__name__: kind for kind in CLASSES},
    "class ConstructedError": lambda: ConstructedError,
    "class Reject": lambda: headrace.Reject,
    **{f"ValueError {name}": partial(ValueError, text) for name, text in TEXTS.items()},
    **{f"Reject {name}": partial(headrace.Reject, text) for name, text in TEXTS.items()},
    **{f"Retry {name}": partial(headrace.Retry, text) for name, text in TEXTS.items()},
    "Reject of an error": lambda: headrace.Reject(ValueError("why")),  # type: ignore[arg-type]
    "odd Reject": OddReject,
    **{f"odd Retry {after!r:.10}": partial(OddRetry, after) for after in AFTERS},
    "group": lambda: ExceptionGroup("some", [ValueError("one"), SilentError()]),
    "base group": lambda: BaseExceptionGroup("some", [KeyboardInterrupt()]),
    "no exception": lambda: 1,
}
"""By name; a name reads better in a report than what fails when it is looked at."""

VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "number": lambda: 1,
    "text": lambda: "text",
    "list": list,
    "class": lambda: object,
    "ellipsis": lambda: ...,
    "unlucky": Unlucky,
    "list of the unlucky": lambda: [Unlucky()],
    "coroutine": _coroutine,
    "failing coroutine": _failing_coroutine,
    "async generator": _async_generator,
    "generator": _generator,
}

ENDINGS = [
    *(f"raise {name}" for name in EXCEPTIONS),
    *(f"return {name}" for name in (*EXCEPTIONS, *VALUES)),
]


def end(ending: str) -> Any:
    """End as the name says."""
    how, _, name = ending.partition(" ")
    what = {**EXCEPTIONS, **VALUES}[name]()
    if how == "raise":
        raise what
    return what


def app_of(endings: list[str], handled: list[int]) -> headrace.App:
    """Handlers whose event names its ending by number, -1 for a plain success, in each colour."""
    app = headrace.App()

    def handle(event: int) -> Any:
        handled.append(event)
        return end(endings[event]) if event >= 0 else None

    @app.on("async")
    async def in_the_loop(event: int) -> Any:
        return handle(event)

    @app.on("suspending")
    async def after_a_turn(event: int) -> Any:
        await asyncio.sleep(0)
        return handle(event)

    @app.on("sync")
    def in_a_thread(event: int) -> Any:
        return handle(event)

    @app.batch("async batch", max_size=1)
    async def batch_in_the_loop(events: list[int]) -> Any:
        return handle(events[0])

    @app.batch("sync batch", max_size=1)
    def batch_in_a_thread(events: list[int]) -> Any:
        return handle(events[0])

    @app.batch("listed", max_size=3)
    async def listed(events: list[int]) -> list[Any]:
        """Each event's own ending in the list, when it is one that a list may hold."""
        handled.extend(events)
        return [_listable(endings[event]) if event >= 0 else None for event in events]

    return app


def _listable(ending: str) -> Any:
    name = ending.partition(" ")[2]
    return EXCEPTIONS[name]() if name in EXCEPTIONS and name != "no exception" else None


COLOURS = ["async", "suspending", "sync", "async batch", "sync batch", "listed"]


@contextlib.contextmanager
def unseen_log() -> Iterator[None]:
    """Have the worker's lines formatted and thrown away: not every report can hold a surrogate."""
    logger = logging.getLogger("headrace.worker")
    handler = logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
