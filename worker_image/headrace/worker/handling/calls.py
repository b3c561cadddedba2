"""How a slot calls a handler: in the loop or in the slot's thread, each time with the context
variables of a fresh start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import Any

from headrace.handler import Function, Handler
from headrace.worker.handling.contexts import calling, clean_context, is_changed, run_in
from headrace.worker.handling.returned import ending_of
from headrace.worker.handling.threads import HandlerThread


class Calls:
    """One per slot, for one call after the other."""

    def __init__(self, thread_name: str) -> None:
        self.context = clean_context()
        """The context variables that a handler finds."""
        self._isolates = False
        """A coroutine has set some: from now on each runs in a copy of `context`."""
        self._thread_name = thread_name
        self._thread: HandlerThread | None = None

    def of(self, handler: Handler) -> Callable[..., Awaitable[Any]]:
        """The handler's function, to be called in the slot's task."""
        if not handler.is_async:
            return partial(self.in_thread, handler.function)
        return partial(self._isolated, handler.function) if self._isolates else handler.function

    async def in_thread(self, function: Function, *arguments: Any) -> Any:
        if self._thread is None:
            self._thread = HandlerThread(self._thread_name)
        call = partial(self.context.copy().run, function, *arguments)
        result, error = await self._thread.run(call)
        if error is not None:
            raise error
        return result

    async def look_at(self, result: Any) -> None:
        """Await what a handler returned without awaiting it; raise what it returned instead of
        raising it. Either would be lost if the event were acknowledged."""
        if isawaitable(result):
            result = await (self._isolated(lambda: result) if self._isolates else result)
        if (ending := ending_of(result)) is not None:
            raise ending

    def isolate_if_changed(self) -> None:
        """Call after each coroutine, or the next handler finds what this one has set."""
        self._isolates = self._isolates or is_changed(self.context)

    def leave_thread(self) -> HandlerThread | None:
        """Let go of the thread, which ends after the call it is in."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.leave()
        return thread

    def _isolated(self, function: Function, *arguments: Any) -> Awaitable[Any]:
        return run_in(self.context.copy(), calling(function, *arguments))
