"""`App`: the handlers of one worker, by (type, version).

app = headrace.App()

@app.on("flight.landed", version=1)
async def landed(flight: Flight, ctx: headrace.Context) -> None: ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

from headrace.handler import Decode, Handler, build
from headrace.signature import (
    Function,
    HandlerError,
    check_deserializer,
    check_lifespan,
    check_max_size,
    check_type,
    check_version,
    linger_of,
    timeout_of,
)

F = TypeVar("F", bound=Function)
Lifespan = Callable[["App"], AsyncIterator[None]]


class App:
    """A registry of handlers. It holds no connection and starts nothing by itself."""

    def __init__(self) -> None:
        self.state = SimpleNamespace()
        """For what `lifespan` opens and handlers use: `app.state.http = ...`."""
        self._handlers: dict[tuple[str, int], Handler] = {}
        self._raw: Handler | None = None
        self._deserializers: dict[str, Decode] = {}
        self._lifespan: Callable[[App], AbstractAsyncContextManager[None]] | None = None

    def on(
        self, type: str, *, version: int = 1, timeout: float | timedelta | None = None
    ) -> Callable[[F], F]:
        """Register a function for one event at a time, async or sync (sync runs in a thread).

        The first parameter's annotation is the model: a pydantic model, `dict`, `bytes`, any type
        pydantic knows; without one the parsed JSON is passed. `timeout` replaces the group's
        delivery.handlerTimeout. Raises HandlerError when the pair is taken.
        """
        check_type(type, "on")

        def register(function: F) -> F:
            self._add(function, type, version, batch=False, timeout=timeout, max_size=1)
            return function

        return register

    def batch(
        self,
        type: str,
        *,
        version: int = 1,
        max_size: int = 100,
        linger: float | timedelta = 0,
        timeout: float | timedelta | None = None,
    ) -> Callable[[F], F]:
        """Register a function for many events: `list[Model]` in, one outcome per event out.

        It gets what waits, at most `max_size` events. With `linger` (seconds or a timedelta, at
        most a minute) a batch that is not full waits that long for more.

        It returns None (all done) or a list with one item per event: None, an outcome
        (Retry, Reject, Skip) or an exception. Raising decides for all of them.
        """
        check_type(type, "batch")
        check_max_size(max_size)
        wait = linger_of(linger)

        def register(function: F) -> F:
            self._add(
                function,
                type,
                version,
                batch=True,
                timeout=timeout,
                max_size=max_size,
                linger=wait,
            )
            return function

        return register

    def raw(self, function: F) -> F:
        """Register the function for every entry that no other handler takes.

        It gets the field map, `dict[str, bytes]`, whatever the entry's fields are.
        """
        if self._raw is not None:
            raise HandlerError(f"{self._raw.function.__qualname__} is the raw handler already")
        self._raw = build(
            function,
            type_="",
            version=0,
            raw=True,
            batch=False,
            timeout=None,
            max_size=1,
            linger=0.0,
            deserialize=None,
        )
        return function

    def deserializer(self, type: str) -> Callable[[F], F]:
        """Register payload bytes -> value for a type that is not JSON, before its handlers.

        The value is validated against the handler's model.
        """
        check_type(type, "deserializer")

        def register(function: F) -> F:
            check_deserializer(function)
            if any(known == type for known, _ in self._handlers):
                raise HandlerError(f"register the deserializer of {type!r} before its handlers")
            self._deserializers[type] = function
            return function

        return register

    @property
    def deserializers(self) -> Mapping[str, Decode]:
        """By type; what is not among them is JSON."""
        return self._deserializers

    def lifespan(self, function: Lifespan) -> Lifespan:
        """Register an async generator: before its `yield` runs at start, after it at stop."""
        if self._lifespan is not None:
            raise HandlerError("the app has a lifespan already; one function starts and stops it")
        check_lifespan(function)
        self._lifespan = asynccontextmanager(function)
        return function

    def running(self) -> AbstractAsyncContextManager[None]:
        """The lifespan to enter around the worker's loop; one that does nothing if none is set."""
        return (self._lifespan or asynccontextmanager(_nothing))(self)

    @property
    def handlers(self) -> list[Handler]:
        """All registered handlers, the raw one last."""
        return [*self._handlers.values(), *([self._raw] if self._raw else [])]

    def _add(
        self,
        function: Function,
        type_: str,
        version: int,
        *,
        batch: bool,
        timeout: float | timedelta | None,
        max_size: int,
        linger: float = 0.0,
    ) -> None:
        check_version(version)
        key = (type_, version)
        if key in self._handlers:
            taken = self._handlers[key].function.__qualname__
            raise HandlerError(f"{taken} handles {type_!r} version {version} already")
        self._handlers[key] = build(
            function,
            type_=type_,
            version=version,
            raw=False,
            batch=batch,
            timeout=None if timeout is None else timeout_of(timeout),
            max_size=max_size,
            linger=linger,
            deserialize=self._deserializers.get(type_),
        )


async def _nothing(_: Any) -> AsyncIterator[None]:
    yield
