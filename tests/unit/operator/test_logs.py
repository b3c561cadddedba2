"""What the operator's log does not show."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from headrace_operator.logs import no_watch_closed_by_asyncio


async def infinite_watch() -> AsyncIterator[int]:
    yield 1


async def of_somebody_else() -> AsyncIterator[int]:
    yield 1


async def test_a_watch_that_asyncio_closes_at_the_end_is_no_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.handler.addFilter(no_watch_closed_by_asyncio)
    said = "an error occurred during closing of asynchronous generator"
    try:
        for made in (infinite_watch, of_somebody_else):
            generator = made()
            # As asyncio says it where the inner part of a generator was closed before the outer.
            error = {
                "message": f"{said} {generator}",
                "exception": RuntimeError("generator didn't stop after athrow()"),
                "asyncgen": generator,
            }
            asyncio.get_running_loop().call_exception_handler(error)
    finally:
        caplog.handler.removeFilter(no_watch_closed_by_asyncio)
    (told,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "of_somebody_else" in told.getMessage()
