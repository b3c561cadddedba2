"""What is done, and what waits, while the limit of status writes holds one back."""

from __future__ import annotations

import time
from typing import Any

import pytest
from bench.operator.passes import KEY, World, small

from headrace_operator.kube.kinds import DEPLOYMENT, POD, STREAM_PIPELINE
from headrace_operator.plan import Plan
from headrace_operator.reconcile.apply import ApplyResult
from headrace_operator.reconcile.status_writer import WRITES_PER_MINUTE


@pytest.fixture
async def world() -> World:
    """Settled, and its status has been written as often as it may."""
    made = small()
    await made.settle()
    made.memory.status.within_a_minute.extend([time.monotonic()] * WRITES_PER_MINUTE)
    return made


def edit(world: World, **spec: Any) -> None:
    live = world.cache.pipeline(KEY)
    assert live is not None
    version = str(int(live["metadata"]["resourceVersion"]) + 1000)
    metadata = {**live["metadata"], "generation": 2, "resourceVersion": version}
    edited = {**live, "metadata": metadata, "spec": {**live["spec"], **spec}}
    world.cache.put(STREAM_PIPELINE, edited)


def stop(world: World) -> None:
    """The Deployment has no pods any more."""
    live = world.cache.get("Deployment", "default", "flights-delays")
    assert live is not None
    metadata = {**live["metadata"], "resourceVersion": "9999"}
    stopped = {**live, "metadata": metadata, "spec": {**live["spec"], "replicas": 0}, "status": {}}
    world.cache.put(DEPLOYMENT, stopped)


async def test_a_spec_that_cannot_be_read_is_told_as_soon_as_it_may(world: World) -> None:
    edit(world, groups="none")
    again = await world.reconciler.reconcile(KEY)
    assert again is not None
    assert 0 < again <= 2


async def test_a_group_that_left_keeps_its_deployment_until_the_status_knows_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_delete: list[str] = []

    async def carry_out(todo: Plan, *_: Any) -> ApplyResult:
        to_delete[:] = [one.ref.kind for one in todo.deletes]
        return ApplyResult()

    monkeypatch.setattr(world.reconciler.applier, "carry_out", carry_out)
    for pod in list(world.cache.pods(KEY)):
        world.cache.remove(POD, pod)
    edit(world, groups=[{"name": "other", "worker": {"handler": "handlers:app"}}])
    stop(world)
    await world.reconciler.reconcile(KEY)
    assert to_delete
    assert "Deployment" not in to_delete
    world.memory.status.within_a_minute.clear()
    await world.reconciler.reconcile(KEY)
    assert "Deployment" in to_delete
