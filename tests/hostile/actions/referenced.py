"""What becomes of the Secrets and ConfigMaps that the pipeline names."""

from __future__ import annotations

import contextlib

from headrace_operator.kube.kinds import BY_KIND
from tests.hostile.actions.registry import act, in_force
from tests.hostile.pipelines import CODE, PASSWORD, SETTINGS, Manifest
from tests.hostile.story import Step
from tests.hostile.world import Undo, World
from tests.support.kube import Refused

NAMES = (CODE, SETTINGS, PASSWORD)


def _one(world: World, step: Step) -> Manifest:
    name = step.pick(NAMES)
    return next(one for one in world.referenced() if one["metadata"]["name"] == name)


def _in_use(world: World, name: str) -> bool:
    """Only what the spec names now can be missed."""
    return name in str(world.spec)


@act(weight=3)
def touch_referenced(world: World, step: Step) -> Undo | None:
    """Annotations only, as External Secrets and reflectors write them: nothing may roll."""
    one = _one(world, step)
    note = {"example.com/synced": str(step.dice[1])}
    with contextlib.suppress(Refused):
        world.kube.patch(
            BY_KIND[one["kind"]],
            world.namespace,
            one["metadata"]["name"],
            {"metadata": {"annotations": note}},
        )
    return None


@act()
def change_handlers(world: World, step: Step) -> Undo | None:
    data = {"handlers.py": f"app = {step.dice[1]}\n"}
    with contextlib.suppress(Refused):
        world.kube.patch(BY_KIND["ConfigMap"], world.namespace, CODE, {"data": data})
    return None


@act(weight=4)
def remove_referenced(world: World, step: Step) -> Undo | None:
    one = _one(world, step)
    kind, name = BY_KIND[one["kind"]], one["metadata"]["name"]
    if world.kube.get(kind, world.namespace, name) is None:
        return None
    causes = ("reference",) if _in_use(world, name) else ()
    return in_force(
        world,
        lambda: world.kube.delete(kind, world.namespace, name),
        lambda: world.kube.create(one),
        *causes,
    )


@act()
def recreate_referenced(world: World, step: Step) -> Undo | None:
    """The same content with another uid."""
    one = _one(world, step)
    with contextlib.suppress(Refused):
        world.kube.delete(BY_KIND[one["kind"]], world.namespace, one["metadata"]["name"])
        world.kube.create(one)
    return None
