"""Context variables that one event's handler sets are not seen by the next event's.

A slot is one task, so what a coroutine sets would stay. To run each in a context of its own costs
as much as the handler; so the slot looks afterwards whether anything was set, and only then does it
for what follows.
"""

from __future__ import annotations

import decimal
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import Any


def clean_context() -> Context:
    """The current context, to compare with and to copy. Arithmetic on Decimals sets a variable:
    it is set here, so that no handler is taken for one that sets variables because it computes."""
    decimal.setcontext(decimal.getcontext().copy())
    return copy_context()


def is_changed(base: Context) -> bool:
    """True when the current context is not as `base`; cheap when nothing was set."""
    try:
        return copy_context() != base
    except Exception:  # of a value that cannot be compared
        return True


@coroutine
def run_in(context: Context, awaited: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Await a coroutine, each of its steps in `context`."""
    step, argument = awaited.send, None
    while True:
        try:
            waits_for = context.run(step, argument)
        except StopIteration as end:
            return end.value
        try:
            argument = yield waits_for
            step = awaited.send
        except GeneratorExit:
            context.run(awaited.close)
            raise
        except BaseException as thrown:
            argument, step = thrown, awaited.throw


async def calling(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """A call as a coroutine, so that the function itself runs in the context, too."""
    return await function(*arguments)
