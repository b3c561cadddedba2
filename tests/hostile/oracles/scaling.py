"""Workers follow the backlog, also while something else of their pipeline is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator

import redis

from headrace_api.names import deployment_name
from headrace_operator.kube.kinds import DEPLOYMENT, STREAM_PIPELINE
from tests.hostile.oracles import Violation
from tests.hostile.oracles.end_state import in_words
from tests.hostile.pipelines import consumer_group, wanted_replicas
from tests.hostile.world import World
from tests.support.kube import condition

BOUND_SECONDS = 10.0
LOOK_SECONDS = 1.0
HARMLESS = frozenset(
    {
        "invalid child",
        "unschedulable",
        "group name",
        "reference",
        "pull",
        "hang",
        "held pod",
        "rival",
    }
)
"""Causes that are no reason to leave entries waiting: the number can be written, and Redis read."""


class Scaling:
    def __init__(self, world: World) -> None:
        self._world = world
        self._short: dict[str, float] = {}
        self._looked = 0.0
        self._uid = ""

    def sample(self) -> Iterator[Violation]:
        world = self._world
        live = world.stage.seen.get(STREAM_PIPELINE, world.namespace, world.name)
        uid = "" if live is None else live["metadata"]["uid"]
        if live is None or "deletionTimestamp" in live["metadata"] or uid != self._uid:
            self._uid = uid  # nobody asks for workers, or has only just asked
            self._short.clear()
            return
        if any(count and cause not in HARMLESS for cause, count in world.causes.items()):
            self._short.clear()
            return
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        short = dict(self._wanting())
        self._short = {name: self._short.get(name, world.served) for name in short}
        for name, since in self._short.items():
            if min(world.served - since, world.stage.operator.leads_for) > BOUND_SECONDS:
                said = in_words(condition(live, "Ready"))
                what = f"{short[name]}, for {BOUND_SECONDS:.0f} s; Ready says {said}"
                yield Violation("scaling", what)

    def _wanting(self) -> Iterator[tuple[str, str]]:
        """Groups that have fewer workers than their backlog asks for."""
        world = self._world
        try:
            backlog = world.backlog()
        except (redis.RedisError, OSError):
            return
        for group in world.groups:
            name = deployment_name(world.namespace, world.name, group["name"])
            # A Redis that has forgotten everything is first come, first served.
            if world.causes["rival"] and self._uid not in world.owner(consumer_group(group)):
                continue
            ready = backlog.get(consumer_group(group), 0)
            wanted = wanted_replicas(world.manifest, group, ready) or 0
            child = world.stage.seen.get(DEPLOYMENT, world.namespace, name)
            replicas = child["spec"].get("replicas", 0) if child is not None else 0
            if replicas < wanted:
                yield name, f"{name} has {replicas} workers for {ready} entries, not {wanted}"
