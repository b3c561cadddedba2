"""Scale-in on the real node: running handlers end, the rest is handed over, the idle go first."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from examples.flights.demo.cluster import Place
from tests.support.kube import Kube
from tests.support.pipeline_namespace import PIPELINE, Airport, group, pipeline
from tests.support.pod_history import PodHistory
from tests.support.waiting import until

from headrace.streams.keys import StreamKeys
from headrace_api.mounts import CONTAINER_NAME
from headrace_operator.kube.kinds import STREAM_PIPELINE
from headrace_operator.plan.pod_health import VICTIM_COST

HANDLERS = """
import asyncio
import json
import time
import headrace

slow = headrace.App()

@slow.on("flight.landed")
async def land(flight: dict, ctx: headrace.Context) -> None:
    about = {"id": ctx.id, "pod": ctx.consumer.rpartition("-")[0], "attempt": ctx.attempt}
    await ctx.redis.rpush("begun", json.dumps({**about, "at": time.time()}))
    ends_at = time.time() + flight["seconds"]
    while time.time() < ends_at and not await ctx.redis.exists("over"):
        await asyncio.sleep(0.1)
    await ctx.redis.rpush("ended", json.dumps({**about, "at": time.time()}))
"""
KEYS = StreamKeys(PIPELINE).for_group("slow")
WORKERS, LEFT = 6, 2
CONCURRENCY = 3


@dataclass
class Scene:
    """Six ready workers, what their handlers wrote down, and what became of their pods."""

    airport: Airport
    kube: Kube
    pods: PodHistory

    def apply(
        self, scaling: dict[str, Any], *, concurrency: int = CONCURRENCY, timeout: str = "20s"
    ) -> None:
        made = group("slow", scaling=scaling)
        made["worker"] |= {"concurrency": concurrency, "batchSize": 1}
        made["delivery"] = {"handlerTimeout": timeout, "minIdle": "30s"}
        self.airport.apply(pipeline(made))

    def send(self, count: int, seconds: float) -> None:
        self.airport.send([{"seconds": seconds}] * count)

    def notes(self, kind: str) -> list[dict[str, Any]]:
        """`begun` or `ended`: id, pod, attempt and the time of each handling."""
        return [json.loads(line) for line in self.airport.redis.lrange(kind, 0, -1)]

    def running(self) -> Counter[str]:
        """Handlers that run now, by pod."""
        ended = {note["id"] for note in self.notes("ended")}
        return Counter(note["pod"] for note in self.notes("begun") if note["id"] not in ended)

    def held(self) -> dict[str, set[str]]:
        """Ids of the pending entries by the pod whose consumer holds them."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for row in self.airport.redis.xpending_range(PIPELINE, "slow", "-", "+", 1000):
            found[row["consumer"].decode().rpartition("-")[0]].add(row["message_id"].decode())
        return found

    def pending(self) -> int:
        """Pending entries, as the status has them."""
        live = self.kube.get(STREAM_PIPELINE, self.airport.kubectl.namespace, PIPELINE)
        assert live
        return int(live["status"]["pending"])

    def ready(self) -> set[str]:
        return {
            pod["metadata"]["name"]
            for pod in self.airport.workers("slow")
            if all(one["ready"] for one in pod["status"].get("containerStatuses", [{"ready": 0}]))
        }

    def cost_patches(self) -> float:
        """Requests by which anybody has changed a pod itself, not its status."""
        counted = 'apiserver_request_total{code="200",'
        lines = self.kube.text("/metrics").splitlines()
        patches = (line for line in lines if line.startswith(counted))
        labels = ('resource="pods"', 'subresource=""', 'verb="PATCH"')
        return sum(
            float(line.split()[-1]) for line in patches if all(label in line for label in labels)
        )


@pytest.fixture
def scene(airport: Airport, place: Place) -> Iterator[Scene]:
    airport.apply_handlers(HANDLERS)
    kube = Kube(place.kubeconfig)
    with PodHistory(kube, airport.kubectl.namespace) as pods:
        yield Scene(airport, kube, pods)


def wait_ready(scene: Scene) -> None:
    until("six ready workers", lambda: len(scene.ready()) == WORKERS, within=60)


def wait_scaled_in(scene: Scene) -> set[str]:
    """The pods that went, once they are gone."""
    gone = WORKERS - LEFT
    until("the surplus is gone", lambda: len(scene.pods.gone) == gone, within=45)
    assert scene.pods.gone.keys() == scene.pods.told.keys()
    return set(scene.pods.gone)


def assert_ended_by_themselves(scene: Scene, victims: set[str]) -> None:
    """Gone long before the kubelet would have killed them, with exit code 0 and nothing held."""
    for pod in victims:
        _, killed_at = scene.pods.told[pod]
        assert scene.pods.gone[pod] < killed_at - 5
        statuses = scene.pods.last[pod]["status"]["containerStatuses"]
        [worker] = [one for one in statuses if one["name"] == CONTAINER_NAME]
        assert worker["state"]["terminated"]["exitCode"] == 0
        assert worker["restartCount"] == 0
    consumers = scene.airport.redis.xinfo_consumers(PIPELINE, "slow")
    left = {one["name"].decode().rpartition("-")[0] for one in consumers if one["pending"]}
    assert not left & victims


def assert_marked_once(scene: Scene, victims: set[str], patches: float) -> None:
    """One write for each pod that went, and none for those that stayed."""
    for pod, costs in scene.pods.costs.items():
        expected = [None, str(VICTIM_COST)] if pod in victims else [None]
        assert costs == expected, f"{pod}: {costs}"
    assert scene.cost_patches() - patches == len(victims)


@pytest.mark.timeout(150)
def test_six_busy_workers_become_two_and_every_event_is_handled_once(scene: Scene) -> None:
    scene.apply({"mode": "Fixed", "replicas": WORKERS})
    wait_ready(scene)
    warm_up = 0
    while len({note["pod"] for note in scene.notes("begun")}) < WORKERS:
        scene.send(2 * WORKERS, 0.1)
        warm_up += 2 * WORKERS
        until("warm", lambda n=warm_up: scene.airport.settled("slow", n))  # type: ignore[misc]
    patches = scene.cost_patches()

    jobs = 2 * WORKERS * CONCURRENCY
    scene.send(jobs, 5.0)
    busy = WORKERS * CONCURRENCY
    until("all are busy", lambda: scene.running().total() == busy, within=5)
    assert scene.running() == dict.fromkeys(scene.ready(), CONCURRENCY)
    held = scene.held()
    scene.apply({"mode": "Fixed", "replicas": LEFT})
    began = time.monotonic()

    victims = wait_scaled_in(scene)
    print(f"four pods were gone {time.monotonic() - began:.1f} s after the change")
    until("all handled", lambda: scene.airport.settled("slow", warm_up + jobs), within=45)

    begun = Counter(note["id"] for note in scene.notes("begun"))
    ended = {note["id"]: note for note in scene.notes("ended")}
    assert len(begun) == warm_up + jobs
    assert set(begun.values()) == {1}, "handled twice"
    assert ended.keys() == begun.keys(), "a handler was cut short"
    for pod in victims:
        last = max(note["at"] for note in ended.values() if note["pod"] == pod)
        assert last > scene.pods.told[pod][0], f"{pod} was not busy when it was told to end"
    handed_over = [one for pod in victims for one in held[pod] if ended[one]["pod"] != pod]
    assert handed_over, "every victim had more than it could begin"

    assert {note["attempt"] for note in ended.values()} == {1}
    assert not scene.airport.redis.exists(KEYS.failures), "a failure was counted"
    assert not scene.airport.redis.exists(KEYS.dead_letters)
    assert_ended_by_themselves(scene, victims)
    assert_marked_once(scene, victims, patches)


@pytest.mark.timeout(150)
def test_workers_that_hold_nothing_go_first(scene: Scene) -> None:
    automatic = {"mode": "Automatic", "maxReplicas": WORKERS, "targetBacklog": 1}
    held_up = automatic | {"minReplicas": WORKERS, "scaleDownAfter": "1s"}
    scene.apply(held_up, concurrency=1, timeout="60s")
    wait_ready(scene)
    patches = scene.cost_patches()
    for number in range(1, LEFT + 1):
        scene.send(1, 55.0)  # until it is told that all is over
        until("begun", lambda n=number: scene.running().total() == n)  # type: ignore[misc]
    holders = set(scene.running())
    assert len(holders) == LEFT, "one worker took both"
    assert not any(None not in costs for costs in scene.pods.costs.values())
    # Else it may decide by a reading from before they came, and take all workers.
    until("the operator knows of them", lambda: scene.pending() == LEFT, within=30)

    scene.apply(held_up | {"minReplicas": 0}, concurrency=1, timeout="60s")
    victims = wait_scaled_in(scene)
    assert set(scene.running()) == holders, "over before the scale-in was"
    assert scene.ready() == holders
    assert_ended_by_themselves(scene, victims)
    assert_marked_once(scene, victims, patches)

    scene.airport.redis.set("over", 1)
    until("both jobs done", lambda: scene.airport.settled("slow", LEFT), within=30)
    assert Counter(note["pod"] for note in scene.notes("ended")) == dict.fromkeys(holders, 1)
