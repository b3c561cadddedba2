"""How a flush is written: by the commit script, or in memory where handlers are tested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from redis.asyncio import Redis

from headrace.streams.commit import Committer, Packed
from headrace.streams.settlement import Settlement, Verdicts


class Commits(Protocol):
    """What the settler asks of it."""

    def pack(self, acks: Sequence[bytes], settlements: Sequence[Settlement]) -> list[Packed]:
        """One flush in as few calls as its bounds allow."""

    async def send(self, packed: Sequence[Packed]) -> Verdicts:
        """The verdicts that are not "done". After a lost connection, send the same again."""


class RedisCommits:
    """The commit script, over one client."""

    def __init__(self, committer: Committer, client: Redis) -> None:
        self._committer = committer
        self._client = client

    def pack(self, acks: Sequence[bytes], settlements: Sequence[Settlement]) -> list[Packed]:
        return self._committer.pack(acks, settlements)

    async def send(self, packed: Sequence[Packed]) -> Verdicts:
        return await self._committer.send(self._client, packed)

    def client_for(self, stream: str) -> Redis:
        """The client over which this stream is written."""
        return self._client

    async def aclose(self) -> None:
        """Nothing to close: the client is its owner's."""
