"""Signs of life on stderr: a counter for long work, and a line when Redis lets us wait."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from types import TracebackType

import typer

from headrace.cli.terminal import is_terminal

SILENCE_SECONDS = 1.0
REDRAW_SECONDS = 0.2


class Progress:
    """A count that is rewritten in place on a terminal. In a pipe it prints nothing."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what = what
        self._of = f" of {total:,}" if total is not None else ""
        self._shown = monotonic()
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, count: int) -> None:
        """Cheap: draws a few times a second at most."""
        if not is_terminal(sys.stderr) or monotonic() - self._shown < REDRAW_SECONDS:
            return
        self._shown, self._drawn = monotonic(), True
        sys.stderr.write(f"\r{self._what} {count:,}{self._of}\x1b[K")
        sys.stderr.flush()


@asynccontextmanager
async def said_when_slow(what: str) -> AsyncIterator[None]:
    """Prints `what` if the block takes longer than a second: no command is silent for longer."""

    async def say() -> None:
        await asyncio.sleep(SILENCE_SECONDS)
        typer.echo(f"headrace: {what}", err=True)

    task = asyncio.create_task(say())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
