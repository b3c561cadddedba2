"""Names of the streams in a Redis, and of their groups."""

from __future__ import annotations

from collections.abc import AsyncIterator

from redis.asyncio import Redis

from headrace.streams import groups
from headrace.streams.groups import NotAStream
from headrace.streams.script import call

KEYS_A_STEP = 1_000
OWN_PREFIX = b"headrace:{"
"""Dead letters and replay streams are keys of Headrace, shown with the stream they belong to."""


async def stream_names(client: Redis, beginning: str = "") -> AsyncIterator[bytes]:
    """Every stream but Headrace's own, in steps that each look at a thousand keys."""
    cursor, pattern = b"0", _escaped(beginning) + "*"
    while True:
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", KEYS_A_STEP, "TYPE", "stream")
        cursor, names = await call(client, command)
        for name in names:
            if not name.startswith(OWN_PREFIX):
                yield name
        if cursor == b"0":
            return


async def exists(client: Redis, stream: str) -> bool:
    """Whether there is such a stream. Raises NotAStream for a key of another type."""
    kind = (await call(client, ("TYPE", stream))).decode()
    if kind not in ("stream", "none"):
        raise NotAStream(stream, kind)
    return bool(kind == "stream")


async def group_names(client: Redis, stream: str) -> list[str] | None:
    """The stream's consumer groups; None when there is no such stream. Raises NotAStream."""
    return await groups.group_names(client, stream) if await exists(client, stream) else None


def _escaped(text: str) -> str:
    return "".join(f"\\{one}" if one in "*?[]\\^" else one for one in text)
