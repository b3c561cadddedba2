"""Nothing hangs in deletion, and what goes and stays is what deletionPolicy says."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_operator.kube.kinds import CRON_JOB, DEPLOYMENT, STREAM_PIPELINE
from tests.hostile.oracles import Violation
from tests.hostile.oracles.end_state import controller
from tests.hostile.pipelines import consumer_group
from tests.hostile.world import World
from tests.support.kube import condition

BOUND_SECONDS = 25.0
"""More than the patience, a drain and two looks."""
KNOWN_SECONDS = 10.0
"""An operator that has led for so long has looked at every pipeline and knows its Redis."""
GC_SECONDS = 60.0
"""The garbage collector learns of a new kind of resource only every 30 s."""


def delete(world: World, propagation: str) -> Iterator[Violation]:
    """Delete the pipeline and look what becomes of it."""
    live = world.live()
    if live is None:
        return
    uid = live["metadata"]["uid"]
    forgets = world.spec.get("deletionPolicy") == "Delete"
    operator, starts = world.stage.operator, world.stage.operator.starts
    seen_off = operator.leads_for > KNOWN_SECONDS
    world.delete_pipeline(world.name, propagation)

    def gone() -> bool:
        now = world.live()
        return now is None or now["metadata"]["uid"] != uid

    if not world.until(gone, BOUND_SECONDS):
        left = world.live() or {}
        said = condition(left, "Ready") or {}
        finalizers = left.get("metadata", {}).get("finalizers")
        words = f"{said.get('reason')}: {said.get('message', '')[:200]}"
        yield Violation("deletion", f"{world.name} is still there, {finalizers}, {words}")
        return
    if propagation == "Orphan":
        return  # what was let go goes on, by request
    if not world.until(lambda: not _left(world, uid), GC_SECONDS):
        yield Violation("deletion", f"left behind: {', '.join(_left(world, uid))}")
    # One that was ended meanwhile counts as a start only when the next one runs.
    seen_off = seen_off and operator.starts == starts and not operator.away
    if not world.until(lambda: not list(_in_redis(world, uid, forgets, seen_off)), 10):
        for words in _in_redis(world, uid, forgets, seen_off):
            yield Violation("deletion", words)


def _left(world: World, uid: str) -> list[str]:
    return [
        f"{kind.kind} {child['metadata']['name']}"
        for kind in (DEPLOYMENT, CRON_JOB, STREAM_PIPELINE)
        for child in world.stage.seen.all(kind, world.namespace)
        if controller(child) == uid
    ]


def _in_redis(world: World, uid: str, forgets: bool, seen_off: bool) -> Iterator[str]:
    """`seen_off`: an operator that knew it was there; else a claim may stay until it is wanted."""
    present = world.backlog()
    for group in world.groups:
        name = consumer_group(group)
        if uid in world.owner(name) and (seen_off or forgets):
            yield f"the claim on {name} was not given up"
        if forgets and name in present:
            yield f"consumer group {name} is still in Redis, under Delete"
        if not forgets and name not in present:
            yield f"consumer group {name} is gone from Redis, under Retain"
