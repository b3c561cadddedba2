"""Names of streams and groups for the shell's completion.

What can be found within a second, and nothing else: the shell wants words, never an error.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import redirect_stderr, suppress
from typing import Any, TypeAlias

from headrace.cli.names import group_names, stream_names
from headrace.cli.redis_options import Place, place_of

SECONDS = 1.0
Search: TypeAlias = Callable[[Place, list[str]], Coroutine[Any, Any, None]]


def streams(url: str | None, beginning: str) -> list[str]:
    """Streams whose names begin so."""

    async def search(place: Place, found: list[str]) -> None:
        async for name in stream_names(place.client, beginning):
            found.append(name.decode("utf-8", "replace"))

    return _found(url, search)


def groups(url: str | None, stream: str | None, beginning: str) -> list[str]:
    """Groups of the stream whose names begin so; None: of the stream that is configured."""

    async def search(place: Place, found: list[str]) -> None:
        names = await group_names(place.client, place.keys(stream, None).stream)
        found += [name for name in names or [] if name.startswith(beginning)]

    return _found(url, search)


def _found(url: str | None, search: Search) -> list[str]:
    """In order, as far as the time goes."""
    found: list[str] = []

    async def within_a_second() -> None:
        async with asyncio.timeout(SECONDS):
            place = place_of(url)
            async with place.client:
                await search(place, found)

    with suppress(Exception), open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123
        asyncio.run(within_a_second())
    return sorted(found)
