"""Events on a real API server: each decision is told once, and a busy pipeline floods nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.kube import Kube

from headrace_operator.kube.api_server import ApiServer, connect
from headrace_operator.kube.kinds import EVENT
from headrace_operator.plan import Event
from headrace_operator.reconcile.event_recorder import (
    AT_ONCE,
    COUNT_AGAIN_SECONDS,
    REFILL_SECONDS,
    Events,
)


class Speaker:
    """Says Events about one pipeline, at a time that the test sets."""

    def __init__(self, kube: Kube, namespace: str, api: ApiServer) -> None:
        self.clock = 0.0
        self._kube, self._namespace = kube, namespace
        self._events = Events(api, "tests", lambda: self.clock)

    async def say(self, message: str) -> None:
        metadata = {"name": "flights", "namespace": self._namespace, "uid": "u1"}
        about = {"apiVersion": "headrace.dev/v1alpha1", "kind": "StreamPipeline"}
        await self._events.say({**about, "metadata": metadata}, Event("Normal", "Scaled", message))

    def heard(self) -> list[tuple[str, int]]:
        """(note, count) in the order of their time."""
        found: list[dict[str, Any]] = self._kube.list(EVENT, self._namespace)
        found.sort(key=lambda event: event["eventTime"])
        return [(one["note"], (one.get("series") or {}).get("count", 1)) for one in found]

    def forget_all(self) -> None:
        for event in self._kube.list(EVENT, self._namespace):
            self._kube.delete(EVENT, self._namespace, event["metadata"]["name"])


@pytest.fixture
async def speaker(kube: Kube, namespace: str) -> AsyncIterator[Speaker]:
    client = await connect(kube.kubeconfig)
    yield Speaker(kube, namespace, ApiServer(client))
    await client.close()  # type: ignore[no-untyped-call]


async def test_the_same_words_again_are_counted_on_one_event(speaker: Speaker) -> None:
    for _ in range(3):
        await speaker.say("0 to 1 workers")
    assert speaker.heard() == [("0 to 1 workers", 1)], "each count would be a write"
    speaker.clock += COUNT_AGAIN_SECONDS
    await speaker.say("0 to 1 workers")
    assert speaker.heard() == [("0 to 1 workers", 4)]


async def test_an_event_that_is_gone_is_said_anew(speaker: Speaker) -> None:
    await speaker.say("0 to 1 workers")
    speaker.forget_all()
    speaker.clock += COUNT_AGAIN_SECONDS
    await speaker.say("0 to 1 workers")
    await speaker.say("0 to 1 workers")
    assert speaker.heard() == [("0 to 1 workers", 1)]


async def test_a_pipeline_that_scales_all_the_time_says_a_few_and_then_one_a_minute(
    speaker: Speaker,
) -> None:
    for number in range(3 * AT_ONCE):
        await speaker.say(f"{number} to {number + 1} workers")
    assert len(speaker.heard()) == AT_ONCE
    speaker.clock += REFILL_SECONDS
    await speaker.say("back to 0 workers")
    assert len(speaker.heard()) == AT_ONCE + 1
    assert speaker.heard()[-1] == (f"back to 0 workers ({2 * AT_ONCE} more before it)", 1)


async def test_a_long_message_in_any_script_is_cut_and_not_refused(speaker: Speaker) -> None:
    await speaker.say("é" * 3000)
    [(note, _)] = speaker.heard()
    assert set(note) == {"é"}
