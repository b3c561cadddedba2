"""Nothing that worked stops: two pipelines that nobody touches, in this namespace and another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headrace_operator.kube.kinds import DEPLOYMENT, POD, STREAM_PIPELINE
from tests.hostile.oracles import LONGEST_BACK_OFF_SECONDS, Violation
from tests.hostile.world import World
from tests.support.kube import condition

BURST = 300
WANTED = 3
BOUND_SECONDS = 5.0
"""Of served time; a quiet machine needs less than 1, a stuck neighbour once took 36."""
AFTER_START_SECONDS = 8.0
"""More for an operator that had to start in between."""


@dataclass(frozen=True)
class _Steady:
    uid: str
    generation: int
    pods: frozenset[str]


class Neighbours:
    def __init__(self, world: World) -> None:
        self._world = world
        self._before: dict[str, _Steady] = {}
        self._bursts: dict[str, float] = {}
        self._starts = 0
        self._hindered = 0.0
        self.took: list[float] = []
        """Served seconds that each burst waited for its workers."""

    @property
    def _places(self) -> tuple[str, str]:
        return (self._world.namespace, self._world.elsewhere)

    def settled(self) -> bool:
        """Both run as they shall."""
        return all(
            self._ready(place) and len(steady.pods) == 2
            for place in self._places
            if (steady := self._look(place))
        ) and all(self._look(place) for place in self._places)

    def begin(self) -> None:
        for place in self._places:
            if steady := self._look(place):
                self._before[place] = steady

    def burst(self) -> None:
        """Entries come, for both."""
        for place in self._places:
            with self._world.calm_client() as client, client.pipeline(transaction=False) as batch:
                for _ in range(BURST):
                    batch.xadd(self._world.calm_stream(place), {"type": "t", "payload": "1"})
                batch.execute()
            self._bursts[place] = self._world.served
        self._hindered = 0.0
        self._starts = self._world.stage.operator.starts

    def sample(self) -> Iterator[Violation]:
        for place in self._places:
            yield from self._steadiness(place)
            yield from self._scaling(place)

    def _steadiness(self, place: str) -> Iterator[Violation]:
        before, now = self._before.get(place), self._look(place)
        if before is None or before == now:
            return
        if now is not None:
            # What people do to every pod of a namespace is not the operator's doing.
            replaced = self._world.causes["pods"] and place == self._world.namespace
            if replaced and (before.uid, before.generation) == (now.uid, now.generation):
                return
        yield Violation("neighbours", f"calm-steady in {place} was {before} and is {now}")

    def _scaling(self, place: str) -> Iterator[Violation]:
        began = self._bursts.get(place)
        if began is None:
            return
        swing = self._world.stage.seen.get(DEPLOYMENT, place, "calm-swing")
        if swing is not None and swing["spec"].get("replicas", 0) >= WANTED:
            self.took.append(self._world.served - self._bursts.pop(place))
            with self._world.calm_client() as client:
                stream = self._world.calm_stream(place)
                added: int = client.xinfo_stream(stream)["entries-added"]
                for group in ("steady", "swing"):
                    client.xgroup_setid(stream, group, "$", entries_read=added)
            return
        if place == self._world.namespace and self._world.causes["namespace"]:
            # It cannot be scaled now, and the operator backs off: as long again, at most.
            self._hindered += self._world.served - began
            self._bursts[place] = self._world.served
            self._starts = self._world.stage.operator.starts
            return
        restarted = self._world.stage.operator.starts != self._starts
        bound = BOUND_SECONDS + (AFTER_START_SECONDS if restarted else 0)
        if place == self._world.namespace:
            bound += min(self._hindered, LONGEST_BACK_OFF_SECONDS)
        if self._world.served - began > bound:
            self._bursts.pop(place)
            replicas = None if swing is None else swing["spec"].get("replicas")
            text = f"{BURST} entries came for calm-swing in {place}: {replicas} workers"
            yield Violation("neighbours", f"{text} after {bound:.0f} s, not {WANTED}")

    def _look(self, place: str) -> _Steady | None:
        seen = self._world.stage.seen
        child = seen.get(DEPLOYMENT, place, "calm-steady")
        if child is None:
            return None
        pods = frozenset(
            pod["metadata"]["uid"]
            for pod in seen.all(POD, place)
            if pod["metadata"]["name"].startswith("calm-steady-")
        )
        return _Steady(child["metadata"]["uid"], child["metadata"]["generation"], pods)

    def _ready(self, place: str) -> bool:
        live = self._world.stage.seen.get(STREAM_PIPELINE, place, "calm")
        found = condition(live, "Ready")
        return found is not None and found["status"] == "True"
