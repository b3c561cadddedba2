"""INFO: what a server says of itself, https://redis.io/docs/latest/commands/info/"""

from __future__ import annotations

from collections.abc import Mapping

from redis.asyncio import Redis

from headrace.streams.script import call

Info = Mapping[str, str]
"""Sections of INFO, as name -> value."""


async def read_info(client: Redis, *sections: str) -> Info:
    """The default sections, unless some are named. Raises redis errors: NOPERM where INFO is not
    permitted."""
    answer = await call(client, ("INFO", *sections))
    return info_of(answer.decode("utf-8", "replace"))


def info_of(text: str) -> Info:
    """What INFO answers, as name -> value."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
