"""A crash after any single write changes nothing: neither the end, nor the way there."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from tests.support.in_process_operator import Crash, Fate, crash_after, live, no_fate
from tests.support.kube import Kube
from tests.support.pipelines import group, pipeline_manifest
from tests.support.redis_servers import RedisServer
from tests.support.replica_history import ReplicaHistory

from headrace_operator.kube.kinds import CONFIG_MAP, CRON_JOB, DEPLOYMENT, SERVICE_ACCOUNT

pytestmark = pytest.mark.timeout(400)  # each test is a dozen lives of an operator

KINDS = (DEPLOYMENT, CRON_JOB, CONFIG_MAP, SERVICE_ACCOUNT)
EXTERNAL = {"groups": [group("audit", scaling={"mode": "External"})]}
FIXED = {"groups": [group("audit", scaling={"mode": "Fixed", "replicas": 3})]}
IDLE = {"groups": [group("audit")]}
AT_ONCE = 4


@dataclass
class Course:
    """How one pipeline's life went: writes, every number of replicas, and its children."""

    writes: list[str]
    replicas: list[int]
    children: Counter[str]


async def course(
    kube: Kube, broker: RedisServer, specs: tuple[dict[str, Any], ...], fate: Fate = no_fate
) -> Course:
    """Apply each spec and let it settle; ``fate`` strikes while the last one is carried out."""
    namespace = kube.make_namespace("crash")
    key = f"{namespace}/flights"
    stream = {"name": f"s-{namespace}", "trim": {"maxLength": 1000}}
    writes: list[str] = []
    try:
        with ReplicaHistory(kube, namespace) as history:
            for spec in specs:
                kube.apply(pipeline_manifest(namespace, broker.endpoint, stream=stream, **spec))
                try:
                    writes = await live(
                        kube.kubeconfig, key, fate if spec is specs[-1] else no_fate
                    )
                except Crash:
                    await live(kube.kubeconfig, key)
        children = Counter(
            kind.kind
            for kind in KINDS
            for _ in kube.list(kind, namespace, "app.kubernetes.io/managed-by=headrace")
        )
        return Course(writes, history.numbers["flights-audit"], children)
    finally:
        kube.delete_namespace(namespace)


async def crashes(kube: Kube, broker: RedisServer, *specs: dict[str, Any]) -> list[list[int]]:
    """The distinct histories of replicas, undisturbed and with a crash after each write."""
    undisturbed = await course(kube, broker, specs)
    slots = asyncio.Semaphore(AT_ONCE)

    async def crashed(number: int) -> Course:
        async with slots:
            return await course(kube, broker, specs, crash_after(number))

    numbers = range(1, len(undisturbed.writes) + 1)
    histories = [undisturbed.replicas]
    for number, seen in zip(numbers, await asyncio.gather(*map(crashed, numbers)), strict=True):
        where = f"crash after {undisturbed.writes[number - 1]}"
        assert seen.children == undisturbed.children, where
        if seen.replicas not in histories:
            histories.append(seen.replicas)
    return histories


async def test_an_idle_pipeline_is_created_without_a_single_worker(
    kube: Kube, broker: RedisServer, data: redis.Redis
) -> None:
    assert await crashes(kube, broker, IDLE) == [[0]]


async def test_from_zero_to_three_is_one_step(
    kube: Kube, broker: RedisServer, data: redis.Redis
) -> None:
    for seen in await crashes(kube, broker, FIXED):
        assert seen in ([3], [0, 3])


async def test_handing_replicas_to_somebody_else_keeps_the_number(
    kube: Kube, broker: RedisServer, data: redis.Redis
) -> None:
    assert await crashes(kube, broker, IDLE, EXTERNAL) == [[0]]


async def test_suspending_and_resuming_somebody_elses_replicas_are_one_step_each(
    kube: Kube, broker: RedisServer, data: redis.Redis
) -> None:
    suspended = {**EXTERNAL, "suspend": True}
    assert await crashes(kube, broker, EXTERNAL, suspended) == [[1, 0]]
    assert await crashes(kube, broker, EXTERNAL, suspended, EXTERNAL) == [[1, 0, 1]]


async def test_taking_replicas_back_is_one_step(
    kube: Kube, broker: RedisServer, data: redis.Redis
) -> None:
    # External is created with the API server's own default of 1.
    assert await crashes(kube, broker, EXTERNAL, FIXED) == [[1, 3]]
