"""What the pipeline's own person does to it, by mistake or on purpose."""

from __future__ import annotations

from tests.hostile import pipelines
from tests.hostile.actions.registry import act, in_force
from tests.hostile.pipelines import AUTOMATIC, Manifest, consumer_group, fixed
from tests.hostile.story import Step
from tests.hostile.world import Undo, World
from tests.support.waiting import until


def try_spec(world: World, spec: Manifest) -> bool:
    """Apply another spec; when the API server refuses it, the person goes back to the old one."""
    before = world.manifest["spec"]
    world.manifest["spec"] = spec
    if world.apply():
        return True
    world.manifest["spec"] = before
    return False


def leave(world: World, name: str) -> None:
    group = world.group(name)
    if group is None or len(world.groups) == 1:
        return
    others = [one for one in world.groups if one is not group]
    world.something_was_deleted = True
    if try_spec(world, {**world.spec, "groups": others}):
        world.left.add(consumer_group(group))
        world.replicas_by_hand.pop(name, None)


def join(world: World, group: Manifest) -> None:
    if world.group(group["name"]) is None:
        try_spec(world, {**world.spec, "groups": [*world.groups, group]})


def change_group(world: World, name: str, change: Manifest) -> bool:
    groups = [{**one, **change} if one["name"] == name else one for one in world.groups]
    return try_spec(world, {**world.spec, "groups": groups})


@act(weight=4)
def remove_group(world: World, step: Step) -> Undo | None:
    """For good, or until it comes back."""
    group = step.pick(world.groups)
    if len(world.groups) == 1:
        return None
    leave(world, group["name"])
    return (lambda: join(world, group)) if step.chance(0.5, 1) else None


@act(weight=3)
def add_group(world: World, step: Step) -> Undo | None:
    name = step.pick(("extra", "more", "audit2"))
    join(world, pipelines.group(name, step.pick((AUTOMATIC, fixed(1)), 1)))
    return (lambda: leave(world, name)) if step.chance(0.6, 2) else None


@act(weight=1)
def many_groups_come_and_go(world: World, step: Step) -> Undo | None:
    """More than a status has room for."""
    if not world.redis_is_well:
        return None
    for wave in range(5):
        names = [f"w{wave}-{number}" for number in range(13)]
        before = world.groups
        added = [pipelines.group(name, AUTOMATIC) for name in names]
        if not try_spec(world, {**world.spec, "groups": [*before, *added]}):
            return None
        world.until(lambda names=names: set(names) <= set(world.backlog()), 20)  # type: ignore[misc]
        world.something_was_deleted = True
        if try_spec(world, {**world.spec, "groups": before}):
            world.left.update(names)
        world.until(lambda: True, 1)
    return None


@act(weight=3)
def change_mode(world: World, step: Step) -> Undo | None:
    group = step.pick(world.groups)
    external: Manifest = {"mode": "External"}
    scaling = step.pick(
        (AUTOMATIC, fixed(1), fixed(3), external, {**AUTOMATIC, "minReplicas": 1}), 1
    )
    world.replicas_by_hand.pop(group["name"], None)
    change_group(world, group["name"], {"scaling": scaling})
    return None


@act()
def roll_out(world: World, step: Step) -> Undo | None:
    group = step.pick(world.groups)
    change_group(world, group["name"], {"delivery": {"maxRetries": step.pick(range(1, 20), 1)}})
    return None


@act(weight=3)
def flip_deletion_policy(world: World, step: Step) -> Undo | None:
    other = "Retain" if world.spec.get("deletionPolicy") == "Delete" else "Delete"
    world.policy_flipped = True
    try_spec(world, {**world.spec, "deletionPolicy": other})
    return None


@act(weight=3)
def suspend(world: World, step: Step) -> Undo | None:
    world.replicas_by_hand.clear()
    if not try_spec(world, {**world.spec, "suspend": True}):
        return None

    def resume() -> None:
        try_spec(world, {**world.spec, "suspend": False})

    return resume


@act()
def toggle_trim(world: World, step: Step) -> Undo | None:
    stream = {"name": world.spec["stream"]["name"]}
    if "trim" not in world.spec["stream"]:
        stream["trim"] = {"maxLength": 10, "policy": "Force", "schedule": "0 0 1 1 *"}
    try_spec(world, {**world.spec, "stream": stream})
    return None


def _for_a_while(world: World, step: Step, field: str, value: object, cause: str) -> Undo | None:
    """A field of a group's worker that turns out to be wrong; undone by taking it out."""
    group = step.pick(world.groups)
    worker = {**group["worker"], field: value}
    if not change_group(world, group["name"], {"worker": worker}):
        return None

    def taken_back() -> bool:
        now = world.group(group["name"])
        if now is None:
            return True
        rest = {name: one for name, one in now["worker"].items() if name != field}
        return change_group(world, group["name"], {"worker": rest})

    return in_force(world, lambda: None, lambda: until("it is taken back", taken_back), cause)


@act(weight=3)
def toleration_that_no_pod_takes(world: World, step: Step) -> Undo | None:
    """Our API takes it, the Deployment's does not."""
    wrong = {"spec": {"tolerations": [{"key": "a", "operator": "Sometimes"}]}}
    return _for_a_while(world, step, "podTemplate", wrong, "invalid child")


@act()
def no_node_fits(world: World, step: Step) -> Undo | None:
    selector = {"spec": {"nodeSelector": {"example.com/zone": "nowhere"}}}
    return _for_a_while(world, step, "podTemplate", selector, "unschedulable")


@act(weight=2)
def group_name_that_cannot_work(world: World, step: Step) -> Undo | None:
    """A colon, or what does not print; where the API server refuses it, that is as good."""
    wrong = step.pick(("Svc:Orders", "a\u200bb", "a\u00a0b"))
    group = {**pipelines.group("orders", AUTOMATIC), "consumerGroup": wrong}
    cause = "group name" if ":" in wrong else "invalid spec"
    if world.group("orders") or not try_spec(
        world, {**world.spec, "groups": [*world.groups, group]}
    ):
        return None

    def taken_back() -> bool:
        world.something_was_deleted = True
        others = [one for one in world.groups if one["name"] != "orders"]
        return try_spec(world, {**world.spec, "groups": others})

    return in_force(world, lambda: None, lambda: until("it is taken back", taken_back), cause)
