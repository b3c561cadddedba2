"""What people do to the pipeline as a resource: its metadata, its status, its very existence."""

from __future__ import annotations

import contextlib
import copy

from headrace_operator.kube.kinds import CHILDREN, STREAM_PIPELINE
from tests.hostile import pipelines
from tests.hostile.actions.children import PIPELINE
from tests.hostile.actions.registry import act, in_force
from tests.hostile.oracles.bystanders import BYSTANDER
from tests.hostile.pipelines import Manifest
from tests.hostile.story import Step
from tests.hostile.world import Undo, World
from tests.support.kube import Refused


@act()
def edit_metadata(world: World, step: Step) -> Undo | None:
    """The person's own labels and annotations, and now and then our finalizer."""
    patches: tuple[Manifest, ...] = (
        {"labels": {"team": "airport"}},
        {"annotations": {"example.com/note": "x"}},
        {"finalizers": None},
    )
    with contextlib.suppress(Refused):
        world.patch_pipeline({"metadata": step.pick(patches)})
    return None


@act()
def forge_status(world: World, step: Step) -> Undo | None:
    """What people with the right to edit the status can write there."""
    orphan = {"name": "ghost", "consumerGroup": "ghost"}
    patches: tuple[Manifest, ...] = (
        {"conditions": []},
        {"conditions": None, "observedGeneration": -1, "groups": None},
        {"orphanedGroups": [orphan]},
        {"lag": 123456, "workers": "9/9"},
    )
    with contextlib.suppress(Refused):
        world.patch_pipeline({"status": step.pick(patches)}, sub="status")
    return None


def _vanish(world: World, propagation: str) -> bool:
    """Delete the pipeline and wait until it is gone."""
    live = world.live()
    world.delete_pipeline(world.name, propagation)

    def gone() -> bool:
        now = world.live()
        return now is None or live is None or now["metadata"]["uid"] != live["metadata"]["uid"]

    if world.stage.operator.away:
        return gone()  # with our finalizer it goes only when an operator is back
    return world.until(gone, 30)


@act(weight=3)
def replace(world: World, step: Step) -> Undo | None:
    """Deleted, and made anew under its name; by some without waiting."""
    world.replicas_by_hand.clear()
    if step.chance(0.5):
        _vanish(world, step.pick(("Background", "Foreground"), 1))
    else:
        world.delete_pipeline(world.name)
    return _come_back(world)


@act(weight=2)
def rename(world: World, step: Step) -> Undo | None:
    """As in git: the old name goes, the same spec comes under another."""
    world.replicas_by_hand.clear()
    _vanish(world, "Background")
    world.manifest = pipelines.renamed(world.manifest, step.pick(("flights2", "arrivals"), 1))
    return _come_back(world)


@act(weight=2)
def orphan_and_replace(world: World, step: Step) -> Undo | None:
    """kubectl delete --cascade=orphan; whoever did that deletes the children, too, in the end."""
    world.replicas_by_hand.clear()
    live = world.live()
    _vanish(world, "Orphan")
    mend = _come_back(world)

    def clean() -> None:
        selector = f"{PIPELINE}={world.name},!{BYSTANDER}"
        for kind in CHILDREN:
            for child in world.kube.list(kind, world.namespace, selector):
                if not child["metadata"].get("ownerReferences"):
                    with contextlib.suppress(Refused):
                        world.kube.delete(kind, world.namespace, child["metadata"]["name"])
        mend()

    return in_force(world, lambda: None, clean, "stranger") if live else clean


def _come_back(world: World) -> Undo:
    """Apply again, until it is really there: a deletion may still be under way."""

    def stands() -> bool:
        live = world.live()
        if live is None:
            world.apply()
            live = world.live()
        return live is not None and "deletionTimestamp" not in live["metadata"]

    stands()

    def undo() -> None:
        world.until(stands, 40)

    return undo


@act(weight=3)
def second_pipeline_on_the_same_group(world: World, step: Step) -> Undo | None:
    rival = pipelines.renamed(copy.deepcopy(world.manifest), "rival")

    def do() -> None:
        with contextlib.suppress(Refused):
            world.kube.apply(rival)

    def undo() -> None:
        world.delete_pipeline("rival")
        path = (STREAM_PIPELINE, world.namespace, "rival")
        world.until(lambda: world.kube.get(*path) is None, 40)

    return in_force(world, do, undo, "rival")
