"""`delivery.replicas`: a renewal that finds an entry gone whose end was just written."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.streams import replicas
from headrace.streams.entries import Source
from headrace.worker.held import Holding
from headrace.worker.settling.replicated import ReplicatedCommits

ID = b"1-0"


class Commits:
    """Notes what the lease's thread sees while a flush is under way."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self.told: set[tuple[Source, bytes]] = set()

    def pack(self, acks: Sequence[bytes], settlements: Sequence[Any]) -> list[Any]:
        call = SimpleNamespace(acks=acks, settlements=settlements, number=1, answer=[])
        call.instead = None
        return [call]

    async def send(self, calls: Sequence[Any]) -> dict[Any, Any]:
        self.told = set(self._holding.written)
        return {}


async def test_it_counts_as_written_from_before_the_call_until_it_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(*_: Any) -> replicas.Replicated:
        return replicas.Replicated(flush=1, replicas=1)

    monkeypatch.setattr(replicas, "ask", ask)
    holding = Holding()
    inner: Any = Commits(holding)
    nothing: Any = None
    commits = ReplicatedCommits(inner, nothing, nothing, "pod", holding=holding, wanted=1)

    await commits.send(commits.pack([ID], []))

    assert inner.told == {(Source.MAIN, ID)}
    assert holding.written == {(Source.MAIN, ID)}, "the settler has not dropped it yet"
    await asyncio.sleep(0)
    assert holding.written == set()
