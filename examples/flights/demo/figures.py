"""What the pipeline is doing right now, read from Redis and from the API server."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import redis
from examples.flights.demo.commands import Kubectl

from headrace.streams.keys import StreamKeys

STREAM = "flights"
GROUPS = ("delays", "audit")
DEAD_LETTERS = StreamKeys(STREAM).dead_letters


@dataclass(slots=True)
class GroupFigures:
    """Entries of one group. `lag` None while Redis does not know it."""

    read: int = 0
    lag: int | None = 0
    pending: int = 0

    @property
    def settled(self) -> int:
        return self.read - self.pending


@dataclass(slots=True)
class Workers:
    """Replicas of the group's Deployment: asked for, and ready."""

    wanted: int = 0
    ready: int = 0


@dataclass(slots=True)
class Figures:
    length: int = 0
    dead_letters: int = 0
    groups: dict[str, GroupFigures] = field(default_factory=dict)

    def settled(self, total: int) -> bool:
        """True when every group has read and settled `total` entries."""
        return len(self.groups) == len(GROUPS) and all(
            group.settled >= total for group in self.groups.values()
        )


def read_figures(client: redis.Redis) -> Figures:
    pipeline = client.pipeline(transaction=True)
    pipeline.xlen(STREAM)
    pipeline.xlen(DEAD_LETTERS)
    pipeline.exists(STREAM)
    length, dead, exists = pipeline.execute()
    groups: list[dict[str, Any]] = client.xinfo_groups(STREAM) if exists else []
    figures = Figures(length=length, dead_letters=dead)
    for group in groups:
        name = group["name"] if isinstance(group["name"], str) else group["name"].decode()
        figures.groups[name] = GroupFigures(
            read=group["entries-read"] or 0, lag=group["lag"], pending=group["pending"]
        )
    return figures


def read_workers(kubectl: Kubectl) -> dict[str, Workers]:
    """By group; the Deployments are found by Headrace's labels."""
    found = kubectl.get("deployments", "-l", f"headrace.dev/pipeline={STREAM}")
    return {
        item["metadata"]["labels"]["headrace.dev/group"]: Workers(
            wanted=item["spec"]["replicas"], ready=item["status"].get("readyReplicas", 0)
        )
        for item in found["items"]
    }


class Rate:
    """Events per second over the last `window` seconds."""

    def __init__(self, window: float = 5) -> None:
        self._window = window
        self._points: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> float:
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[1][0] > self._window:
            self._points.popleft()
        then, before = self._points[0]
        return (count - before) / (now - then) if now > then else 0.0
