"""`App`: the handlers of one worker, by (type, version).

app = headrace.App()

@app.on("flight.landed", version=1)
async def landed(flight: Flight, ctx: headrace.Context) -> None: ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

from headrace.handler import Decode, Function, Handler, HandlerError, build

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
        _check_key(type, version)

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
        timeout: float | timedelta | None = None,
    ) -> Callable[[F], F]:
        """Register a function for many events: `list[Model]` in, one outcome per event out.

        It returns None (all done) or a list with one item per event: None, an outcome
        (Retry, Reject, Skip) or an exception. Raising decides for all of them.
        """
        _check_key(type, version)
        if max_size < 1:
            raise HandlerError(f"max_size={max_size}: a batch holds at least one event")

        def register(function: F) -> F:
            self._add(function, type, version, batch=True, timeout=timeout, max_size=max_size)
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
            deserialize=None,
        )
        return function

    def deserializer(self, type: str) -> Callable[[F], F]:
        """Register payload bytes -> value for a type that is not JSON, before its handlers.

        The value is validated against the handler's model.
        """

        def register(function: F) -> F:
            if any(known == type for known, _ in self._handlers):
                raise HandlerError(f"register the deserializer of {type!r} before its handlers")
            self._deserializers[type] = function
            return function

        return register

    def lifespan(self, function: Lifespan) -> Lifespan:
        """Register an async generator: before its `yield` runs at start, after it at stop."""
        if self._lifespan is not None:
            raise HandlerError("the app has a lifespan already; one function starts and stops it")
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
    ) -> None:
        key = (type_, version)
        if key in self._handlers:
            taken = self._handlers[key].function.__qualname__
            raise HandlerError(f"{taken} handles {type_!r} version {version} already")
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        self._handlers[key] = build(
            function,
            type_=type_,
            version=version,
            raw=False,
            batch=batch,
            timeout=seconds,
            max_size=max_size,
            deserialize=self._deserializers.get(type_),
        )


def _check_key(type_: object, version: object) -> None:
    """Raise HandlerError for what no event can carry, at the decorator's own line."""
    if callable(type_):
        name = getattr(type_, "__qualname__", type_)
        raise HandlerError(
            f"{name}: the decorator needs the event's type; write @app.on('flight.landed')"
        )
    if not isinstance(type_, str) or not type_:
        raise HandlerError(f"type={type_!r}: give the events' type, such as 'flight.landed'")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise HandlerError(f"version={version!r}: give a whole number from 0, such as 1")


async def _nothing(_: Any) -> AsyncIterator[None]:
    yield
