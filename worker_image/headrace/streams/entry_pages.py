"""Entries of a stream in pages of a few MiB, oldest or newest first. No group notices."""

from collections.abc import AsyncIterator
from typing import TypeAlias

from redis.asyncio import Redis

from headrace.streams.script import call

Entry: TypeAlias = tuple[bytes, list[bytes]]
"""Id, and the flat fields as Redis sends them."""

# How many entries are read at once: few at first, for nobody knows what they weigh.
FIRST_PAGE, MAX_PAGE, PAGE_BYTES = 4, 500, 4 << 20


async def entry_pages(
    client: Redis,
    stream: str,
    *,
    since: bytes = b"-",
    until: bytes = b"+",
    newest_first: bool = False,
) -> AsyncIterator[list[Entry]]:
    """The entries from `since` to `until`, as XRANGE takes them. Raises redis errors."""
    name, at, end = ("XREVRANGE", until, since) if newest_first else ("XRANGE", since, until)
    count = FIRST_PAGE
    while True:
        page = await call(client, (name, stream, at, end, "COUNT", count))
        if not page:
            return
        yield [(id_, fields) for id_, fields in page]
        at = b"(" + page[-1][0]
        weight = sum(len(part) for _, fields in page for part in fields) // len(page)
        count = max(1, min(MAX_PAGE, 2 * count, PAGE_BYTES // max(1, weight)))
