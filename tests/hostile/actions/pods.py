"""What nodes, debuggers and clusters do to pods."""

from __future__ import annotations

import contextlib

from headrace_operator.kube.kinds import POD
from tests.hostile.actions.children import GROUP, MANAGED_BY, PIPELINE
from tests.hostile.actions.registry import act, in_force
from tests.hostile.kubelet import ILLS
from tests.hostile.pipelines import Manifest
from tests.hostile.story import Step
from tests.hostile.world import Undo, World
from tests.support.kube import Refused


def pod(world: World, step: Step) -> Manifest | None:
    found = world.kube.list(POD, world.namespace, f"{PIPELINE}={world.name}")
    found.sort(key=lambda one: str(one["metadata"]["name"]))
    return step.pick(found) if found else None


def _patch(world: World, one: Manifest, change: Manifest, sub: str | None = None) -> None:
    with contextlib.suppress(Refused):
        world.kube.patch(POD, world.namespace, one["metadata"]["name"], change, sub=sub)


def _delete(world: World, one: Manifest) -> None:
    with contextlib.suppress(Refused):
        world.kube.delete(POD, world.namespace, one["metadata"]["name"])


@act(weight=5)
def evict_pod(world: World, step: Step) -> Undo | None:
    """As a kubelet writes it; Kubernetes leaves such a pod lying."""
    if one := pod(world, step):
        message = "The node was low on resource: memory."
        ended = {"phase": "Failed", "reason": "Evicted", "message": message}
        _patch(world, one, {"status": ended}, sub="status")
    return None


@act()
def finish_pod(world: World, step: Step) -> Undo | None:
    if one := pod(world, step):
        _patch(world, one, {"status": {"phase": "Succeeded"}}, sub="status")
    return None


@act(weight=4)
def quarantine_pod(world: World, step: Step) -> Undo | None:
    """Out of its ReplicaSet, to be looked at; some people forget it there."""
    one = pod(world, step)
    if one is None:
        return None
    off: Manifest = step.pick(({GROUP: None}, {GROUP: "debug"}, {GROUP: None, MANAGED_BY: None}), 1)
    _patch(world, one, {"metadata": {"labels": off}})
    return (lambda: _delete(world, one)) if step.chance(0.5, 2) else None


@act()
def delete_pod(world: World, step: Step) -> Undo | None:
    if one := pod(world, step):
        _delete(world, one)
    return None


@act()
def delete_every_pod(world: World, step: Step) -> Undo | None:
    for one in world.kube.list(POD, world.namespace, f"{PIPELINE}={world.name}"):
        _delete(world, one)
    return None


@act()
def pod_that_will_not_go(world: World, step: Step) -> Undo | None:
    one = pod(world, step)
    if one is None:
        return None

    def hold() -> None:
        _patch(world, one, {"metadata": {"finalizers": ["example.com/hold"]}})
        _delete(world, one)

    def let_go() -> None:
        _patch(world, one, {"metadata": {"finalizers": None}})

    return in_force(world, hold, let_go, "held pod")


@act(weight=3)
def pods_fall_ill(world: World, step: Step) -> Undo | None:
    """They crash, find no image, or neither start nor end. Mostly the old ones go first."""
    ill, name = step.pick(ILLS), world.name
    kubelet = world.stage.kubelet

    def do() -> None:
        kubelet.fall_ill(world.namespace, name, ill)
        if step.chance(0.7, 1):
            delete_every_pod(world, step)

    return in_force(world, do, lambda: kubelet.fall_ill(world.namespace, name, None), ill)
