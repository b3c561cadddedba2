"""What a pass over a settled pipeline costs: counted, so that a slow machine changes nothing."""

from collections import Counter
from typing import Any

import pytest
from bench.operator.passes import KEY, World, large, small

from headrace_api.v1alpha1 import Worker
from headrace_api.worker_config import WorkerConfig
from headrace_operator.kube import cache


@pytest.fixture(params=[small, large], ids=["small", "large"])
async def world(request: pytest.FixtureRequest) -> World:
    made: World = request.param()
    await made.settle()
    return made


async def test_a_settled_pipeline_is_not_rendered_parsed_or_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("what only the spec decides is made once per generation")

    monkeypatch.setattr(WorkerConfig, "from_pipeline", fail)
    monkeypatch.setattr(Worker, "container_manifest", fail)
    assert world.memory.planned.spec is not None
    spec = world.memory.planned.spec[1]
    children = Counter(child["kind"] for child in world.cache.children(KEY))
    before = world.api.applies
    for _ in range(3):
        await world.one_pass()
    assert world.memory.planned.spec[1] is spec
    assert world.api.applies == before
    assert children["Deployment"] >= 1


async def test_each_cached_object_is_read_once_a_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    original = cache._Entry.object

    def counted(entry: Any) -> Any:
        found = original(entry)
        read[f"{found['kind']}/{found['metadata']['name']}"] += 1
        return found

    monkeypatch.setattr(cache._Entry, "object", counted)
    await world.one_pass()
    status_writes = {"StreamPipeline/flights"}
    assert {name for name, times in read.items() if times > 1} <= status_writes


async def test_a_large_pipeline_costs_no_multiple_of_reading_its_children() -> None:
    """0.9 such readings when this was written, 7 when each pass rendered everything."""
    world = large()
    await world.settle()
    await world.milliseconds(2)
    assert await world.milliseconds(10) < 5 * world.unit_milliseconds()


async def test_a_pipeline_rests_after_a_pass_in_proportion_to_its_plan() -> None:
    world = large()
    await world.settle()
    now = world.reconciler.clock()
    world.reconciler.clock = lambda: now  # or the rest would be over on a slow machine
    world.memory.planned.rests_until = now
    await world.reconciler(KEY)
    rest = await world.reconciler(KEY)
    assert rest is not None
    assert 0 < rest <= 1.0
    assert world.memory.planned.rests_until == now + rest


async def test_a_sleeping_pipeline_keeps_nothing_rendered() -> None:
    """30 KiB each are too much for a fleet that sleeps."""
    world = small()
    await world.settle()
    assert world.memory.planned.rendered is not None
    world.memory.planned.planned_at -= 60
    await world.one_pass()
    assert world.memory.planned.rendered is None
    before = world.api.applies
    await world.one_pass()
    assert world.memory.planned.rendered is not None
    assert world.api.applies == before
