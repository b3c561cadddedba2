"""A burst of entries on an idle pipeline -> its Deployment asks for the final number of workers.

The moment of a burst is random against the operator's clock. It enters Redis in one transaction,
so that no reading can fall into the middle of it and "one step" means what it says.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from bench.operator.stage import MOST, Stage
from tests.support.kube import Kube
from tests.support.watch_recorder import Followed

from headrace_operator.kube.kinds import DEPLOYMENT

ENTRIES = 1_000
PIPELINES = 20  # in turns, so that each is idle again when its turn comes
GIVE_UP = 60.0


@dataclass(frozen=True)
class Bursts:
    """`seconds`: one per burst. `steps`: the numbers that each Deployment went through."""

    seconds: list[float]
    steps: list[list[int]]

    @property
    def in_one_step(self) -> int:
        return sum(steps == [MOST] for steps in self.steps)


class Watched(Followed):
    """Each number of workers that a Deployment asked for, and when it was seen."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        super().__init__(kube, DEPLOYMENT, namespace)
        self.seen: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        self._changed = threading.Condition()

    def wait(self, name: str, replicas: int, since: int = 0) -> float:
        """When the Deployment first asked for so many, from its `since`-th number on."""

        def found() -> float | None:
            return next((at for at, n in self.seen[name][since:] if n == replicas), None)

        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, GIVE_UP):
                raise TimeoutError(f"{name} never asked for {replicas}: {self.seen[name][since:]}")
        return found() or 0.0

    def note(self, change: str, seen: dict[str, Any]) -> None:
        now, numbers = time.monotonic(), self.seen[seen["metadata"]["name"]]
        if not numbers or numbers[-1][1] != seen["spec"]["replicas"]:
            with self._changed:
                numbers.append((now, seen["spec"]["replicas"]))
                self._changed.notify_all()


def measure(stage: Stage, count: int) -> Bursts:
    """Needs a leading operator. Raises TimeoutError, AssertionError."""
    namespace = stage.kube.make_namespace("bursts")
    names = [f"burst-{n}" for n in range(PIPELINES)]
    stage.create(namespace, names)
    stage.wait_ready(namespace, PIPELINES, within=120)
    seconds, steps = [], []
    with Watched(stage.kube, namespace) as watched:
        for turn in range(count):
            name = names[turn % PIPELINES]
            deployment = f"{name}-audit"
            before = len(watched.seen[deployment])
            if before > 1:  # at 0 again since its last turn
                watched.wait(deployment, 0, before - 1)
            else:
                watched.wait(deployment, 0)
            time.sleep(random.uniform(0.0, 1.5))
            before = len(watched.seen[deployment])
            began = burst(stage, name)
            seconds.append(watched.wait(deployment, MOST, before) - began)
            stage.redis.xgroup_setid(name, "audit", "$")
            time.sleep(0.2)
            steps.append([n for _, n in watched.seen[deployment][before:] if n])
    return Bursts(seconds, steps)


def burst(stage: Stage, stream: str) -> float:
    """Adds the entries; the moment after which they were there."""
    with stage.redis.pipeline(transaction=True) as pipeline:
        for number in range(ENTRIES):
            pipeline.xadd(stream, {"type": "bench", "version": "1", "payload": str(number)})
        began = time.monotonic()
        pipeline.execute()
    return began
