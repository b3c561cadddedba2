"""The smallest patch that makes the status what it should be."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_operator.kube.cache import Cache
from headrace_operator.kube.token_bucket import TokenBucket
from headrace_operator.reconcile.memory import StatusWrites
from headrace_operator.reconcile.status_writer import WRITES_PER_MINUTE, StatusWriter, merge_patch

values = st.recursive(
    st.one_of(st.integers(), st.text(max_size=2)),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner), st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), values)


def patched(target: Any, patch: Any) -> Any:
    """RFC 7386, as its authors wrote it down."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result


@given(objects, objects)
def test_the_patch_leads_from_the_current_to_the_wanted(
    current: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert patched(current, merge_patch(current, wanted)) == wanted


@given(objects)
def test_nothing_is_written_when_nothing_differs(current: dict[str, Any]) -> None:
    assert merge_patch(current, json.loads(json.dumps(current))) == {}


AT_ONCE = 50


class Scribe:
    """Writes the status of one pipeline, each time with news."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written = 0
        self._live = {
            "metadata": {"uid": "u", "resourceVersion": "1", "namespace": "n", "name": "p"}
        }
        self._memory = StatusWrites()
        numbers = TokenBucket(1, AT_ONCE)
        self._writer = StatusWriter(cast(Any, self), Cache(), numbers, lambda: self.now)

    async def merge_patch(self, *_: Any, **__: Any) -> dict[str, Any]:
        self.written += 1
        metadata = {"namespace": "n", "name": "p", "uid": "u", "resourceVersion": str(self.written)}
        return {"metadata": metadata}

    async def write(self) -> float | None:
        return await self._writer.write(self._live, {"lag": self.now}, self._memory)

    async def write_figures(self, memory: StatusWrites) -> float | None:
        wanted = {"lag": self.now}
        return await self._writer.write(self._live, wanted, memory, only_figures=True)


async def test_after_many_writes_news_is_late_by_two_seconds_at_most() -> None:
    scribe = Scribe()
    assert [await scribe.write() for _ in range(WRITES_PER_MINUTE)] == [None] * WRITES_PER_MINUTE
    assert await scribe.write() == 2.0
    scribe.now = 2.0
    assert await scribe.write() is None
    scribe.now = 3.5
    assert await scribe.write() == 0.5


async def test_two_that_answer_each_other_write_thirty_times_a_minute_in_the_long_run() -> None:
    scribe = Scribe()
    for _ in range(10 * 600):
        await scribe.write()
        scribe.now += 0.1
    assert scribe.written <= 11 * WRITES_PER_MINUTE


async def test_of_a_fleet_whose_figures_move_some_are_written_at_once_the_rest_in_turn() -> None:
    scribe = Scribe()
    fleet = [StatusWrites() for _ in range(200)]
    waits = [await scribe.write_figures(one) for one in fleet]
    assert scribe.written == AT_ONCE
    turns = [wait for wait in waits if wait is not None]
    assert turns == pytest.approx(range(1, 151), abs=0.5), "one a second"
    assert await scribe.write() is None, "news does not wait for figures"
    scribe.now = 10.5
    again = [await scribe.write_figures(one) for one in fleet[AT_ONCE:]]
    assert again.count(None) == 10, "each comes back once, in its turn"
