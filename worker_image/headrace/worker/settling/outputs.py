"""Outputs that a Cluster keeps on other nodes: written before the commit, at least once.

No script reaches them. Each is added by a plain XADD on a connection of its stream's own; then the
commit acknowledges the entries whose outputs are all there. Between the two, a lost worker leaves
outputs of an entry that is handled again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, ClassVar

from redis.asyncio import Redis
from redis.exceptions import AskError, ResponseError

from headrace.streams import refusals
from headrace.streams.commit import Committer, Packed
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.entries import Source
from headrace.streams.outages import PASSING
from headrace.streams.primary import same_slot
from headrace.streams.script import Argument
from headrace.streams.settlement import Output, Settlement, Verdict, VerdictKind, Verdicts

REPEATED = (*PASSING, AskError)
"""Refusals that say nothing of the output: the node changes, and the same is sent again. redis-py
takes MOVED for an AskError, too."""


@dataclass(slots=True)
class Preceded(Packed):
    """A commit whose outputs elsewhere come first. `waiting`: those not known to be written."""

    rides: ClassVar[bool] = False
    waiting: list[tuple[Settlement, Output]] = field(default_factory=list)
    commit: list[Packed] = field(default_factory=list)
    refused: Verdicts = field(default_factory=dict)
    is_packed: bool = True
    """`commit` holds all entries but those refused."""


class ClusterCommits:
    """The commit script over one client, behind the outputs in other slots."""

    def __init__(
        self, committer: Committer, client: Redis, stream: str, connect: Callable[[str], Redis]
    ) -> None:
        """`connect`: a client for the slot of the stream given."""
        self._committer = committer
        self._client = client
        self._stream = stream
        self._connect = connect
        self._clients: dict[str, Redis] = {}

    def pack(self, acks: Sequence[bytes], settlements: Sequence[Settlement]) -> list[Packed]:
        waiting: list[tuple[Settlement, Output]] = []
        ours: list[Settlement] = []
        for settlement in settlements:
            here = [o for o in settlement.outputs if same_slot(o.stream, self._stream)]
            if len(here) < len(settlement.outputs):
                waiting += [(settlement, o) for o in settlement.outputs if o not in here]
            ours.append(replace(settlement, outputs=here))
        packed = self._committer.pack(acks, ours)
        if not waiting:
            return packed
        waiting.sort(key=lambda pair: pair[1].stream)  # by stream, else as emitted
        return [Preceded(Source.MAIN, [], [], acks, ours, waiting, packed)]

    async def send(self, packed: Sequence[Packed]) -> Verdicts:
        call = packed[0]
        if not isinstance(call, Preceded):
            # Together: a call that is sent in parts gives those behind it newer flush numbers.
            return await self._committer.send(self._client, packed)
        await self._write(call)
        self._leave_out_refused(call)
        return call.refused | await self._committer.send(self._client, call.commit)

    async def _write(self, call: Preceded) -> None:
        """Write what waits; raises where some of it still does."""
        for stream, pairs in groupby(tuple(call.waiting), key=lambda pair: pair[1].stream):
            for pair, reply in zip(*await self._add(stream, list(pairs)), strict=True):
                if isinstance(reply, REPEATED) or (
                    isinstance(reply, Exception) and not isinstance(reply, ResponseError)
                ):
                    raise reply
                call.waiting.remove(pair)
                if isinstance(reply, Exception):
                    settlement, call.is_packed = pair[0], False
                    verdict = Verdict(VerdictKind.FAILED, refusals.describe(reply))
                    call.refused[settlement.source, settlement.id] = verdict

    async def _add(
        self, stream: str, pairs: list[tuple[Settlement, Output]]
    ) -> tuple[list[tuple[Settlement, Output]], list[Any]]:
        pipeline = self.client_for(stream).pipeline(transaction=False)
        for _, output in pairs:
            limit: list[Argument] = []
            if output.max_length is not None:
                limit = [b"MAXLEN", b"~", output.max_length]
            pipeline.execute_command(b"XADD", stream, *limit, b"*", *output.fields)
        return pairs, await pipeline.execute(raise_on_error=False)

    def client_for(self, stream: str) -> Redis:
        """The client over which this stream is written."""
        if same_slot(stream, self._stream):
            return self._client
        if stream not in self._clients:
            self._clients[stream] = self._connect(stream)
        return self._clients[stream]

    def _leave_out_refused(self, call: Preceded) -> None:
        if call.is_packed:
            return
        kept = [s for s in call.settlements if (s.source, s.id) not in call.refused]
        call.commit = self._committer.pack(call.acks, kept)
        call.is_packed = True

    async def aclose(self) -> None:
        for client in self._clients.values():
            with contextlib.suppress(*REDIS_ERRORS):
                await client.aclose()
