"""`delivery.replicas`: a flush counts once so many replicas have it.

Until then its entries stay held, so that after a failover the same flush goes to the new primary:
what had ended before is not handled again where that one knows the delivery. Such a flush is no
single call, and goes over the control connection alone; a worker without the field knows nothing of
this module. Outputs in other slots of a Cluster are written before, and not waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from redis.asyncio import Redis

from headrace.streams import replicas
from headrace.streams.commit import Packed
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.settlement import Settlement, Verdicts
from headrace.worker.settling.commits import RedisCommits
from headrace.worker.settling.outputs import ClusterCommits, Preceded


@dataclass(slots=True)
class Flushed(Packed):
    """The calls of one flush."""

    rides: ClassVar[bool] = False
    calls: list[Packed] = field(default_factory=list)


class ReplicatedCommits:
    """Commits, and waits for the replicas after each flush."""

    def __init__(
        self,
        commits: RedisCommits | ClusterCommits,
        client: Redis,
        keys: GroupKeys,
        consumer: str,
        *,
        wanted: int,
    ) -> None:
        """`wanted`: replicas. `client`: of the stream's primary."""
        self._commits = commits
        self._client = client
        self._keys = keys
        self._consumer = consumer
        self._wanted = wanted

    def pack(self, acks: Sequence[bytes], settlements: Sequence[Settlement]) -> list[Packed]:
        calls = self._commits.pack(acks, settlements)
        return [Flushed(Source.MAIN, [], [], acks, settlements, calls=calls)]

    async def send(self, packed: Sequence[Packed]) -> Verdicts:
        verdicts: Verdicts = {}
        for flush in packed:
            assert isinstance(flush, Flushed)
            verdicts |= await self._send(flush)
        return verdicts

    async def _send(self, flush: Flushed) -> Verdicts:
        """Raises TooFewReplicas; sent again, it asks again, and writes again what a new primary
        does not know."""
        while True:
            verdicts = await self._commits.send(flush.calls)
            there = await replicas.ask(self._client, self._keys, self._consumer, self._wanted)
            if not _forget_after(there.flush, flush.calls):
                break
        if there.replicas < self._wanted:
            raise replicas.TooFewReplicas(there.replicas, self._wanted)
        return verdicts

    def client_for(self, stream: str) -> Redis:
        """The client over which this stream is written."""
        return self._commits.client_for(stream)

    async def aclose(self) -> None:
        await self._commits.aclose()


def _forget_after(known: int, calls: Sequence[Packed]) -> bool:
    """Forget the answers of calls that changed something and are newer than the flush that the
    primary knows: whether there are any."""
    forgotten = False
    for call in calls:
        parts = call.commit if isinstance(call, Preceded) else call.instead
        if parts is not None:
            lost = _forget_after(known, parts)
        else:
            size = len(call.acks) + len(call.settlements)
            lost = call.number > known and call.answer is not None and len(call.answer) < size
        if lost:
            call.answer = None
            forgotten = True
    return forgotten
