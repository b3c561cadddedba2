"""What people, Helm and other controllers do to the pipeline's children."""

from __future__ import annotations

import contextlib

from headrace_api.names import deployment_name
from headrace_operator.kube.kinds import (
    BY_KIND,
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    REPLICA_SET,
    SERVICE_ACCOUNT,
    Kind,
)
from tests.hostile.actions.registry import act, in_force
from tests.hostile.oracles.end_state import controller
from tests.hostile.pipelines import Manifest
from tests.hostile.story import Step
from tests.hostile.world import Undo, World
from tests.support.kube import Refused
from tests.support.waiting import until

KINDS = (DEPLOYMENT, DEPLOYMENT, CRON_JOB, CONFIG_MAP, SERVICE_ACCOUNT)
MANAGED_BY = "app.kubernetes.io/managed-by"
PIPELINE, GROUP = "headrace.dev/pipeline", "headrace.dev/group"
LABELS = (
    {MANAGED_BY: "Helm"},
    {MANAGED_BY: None},
    {PIPELINE: "other"},
    {PIPELINE: None},
    {GROUP: "other"},
    {GROUP: None},
    {"team": "airport"},
)
OURS_TO_SET = ("headrace.dev/spec-hash", "headrace.dev/consumer-group", "headrace.dev/stream")


def child(world: World, step: Step, die: int = 0, *, of: Kind | None = None) -> Manifest | None:
    """One of the pipeline's own, as it is now."""
    live = world.live()
    if live is None:
        return None
    kind = of or step.pick(KINDS, die)
    found = [
        one
        for one in world.kube.list(kind, world.namespace)
        if controller(one) == live["metadata"]["uid"]
    ]
    found.sort(key=lambda one: str(one["metadata"]["name"]))
    if not found:
        return None
    one: Manifest = {"kind": kind.kind, **step.pick(found, die + 1)}
    return one


def patch(world: World, one: Manifest, change: Manifest, manager: str = "a-stranger") -> None:
    kind = BY_KIND[one["kind"]]
    with contextlib.suppress(Refused):  # gone meanwhile, or admission is against it
        world.kube.patch(kind, world.namespace, one["metadata"]["name"], change, manager=manager)


@act(weight=6)
def relabel_child(world: World, step: Step) -> Undo | None:
    """As Helm's adoption or kustomize do."""
    one = child(world, step)
    if one is not None:
        patch(world, one, {"metadata": {"labels": step.pick(LABELS, 2)}})
    return None


@act()
def annotate_child(world: World, step: Step) -> Undo | None:
    one = child(world, step)
    if one is not None:
        name = step.pick((*OURS_TO_SET, "example.com/note"), 2)
        patch(world, one, {"metadata": {"annotations": {name: step.pick(("x", None), 3)}}})
    return None


@act(weight=4)
def edit_deployment(world: World, step: Step) -> Undo | None:
    one = child(world, step, of=DEPLOYMENT)
    if one is None:
        return None
    worker = one["spec"]["template"]["spec"]["containers"][0]
    containers = [{**worker, "image": "example.com/other:1"}]
    change: Manifest = step.pick(
        (
            {"spec": {"template": {"spec": {"containers": containers}}}},
            {"spec": {"template": {"metadata": {"labels": {"version": "2"}}}}},
            {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}},
            {"spec": {"progressDeadlineSeconds": 7, "revisionHistoryLimit": 0}},
            {"spec": {"template": {"spec": {"serviceAccountName": "default"}}}},
        ),
        2,
    )
    patch(world, one, change)
    return None


@act(weight=4)
def scale_by_hand(world: World, step: Step) -> Undo | None:
    name = step.pick([group["name"] for group in world.groups])
    group = world.group(name) or {}
    replicas = step.pick((1, 3, 4), 1)
    path = DEPLOYMENT.path(
        world.namespace, deployment_name(world.namespace, world.name, name), "scale"
    )
    try:
        world.kube.request(
            "PATCH", path, {"spec": {"replicas": replicas}}, "application/merge-patch+json"
        )
    except Refused:
        return None
    external = (group.get("scaling") or {}).get("mode") == "External"
    if external and not world.spec.get("suspend"):
        world.replicas_by_hand[name] = replicas
    return None


@act()
def edit_cron_job(world: World, step: Step) -> Undo | None:
    one = child(world, step, of=CRON_JOB)
    if one is not None:
        change = step.pick(({"suspend": True}, {"suspend": False}, {"schedule": "1 1 1 1 *"}), 2)
        patch(world, one, {"spec": change})
    return None


@act(weight=5)
def delete_child(world: World, step: Step) -> Undo | None:
    one = child(world, step)
    if one is None:
        return None
    world.something_was_deleted = True
    if one["kind"] == "Deployment":
        world.replicas_by_hand.pop(one["metadata"]["labels"].get(GROUP, ""), None)
    propagation = step.pick(("Background", "Orphan", "Foreground"), 2)
    path = BY_KIND[one["kind"]].path(world.namespace, one["metadata"]["name"])
    with contextlib.suppress(Refused):
        world.kube.request("DELETE", path, {"propagationPolicy": propagation})
    return None


@act()
def delete_replica_set(world: World, step: Step) -> Undo | None:
    found = world.kube.list(REPLICA_SET, world.namespace, f"{PIPELINE}={world.name}")
    if found:
        path = REPLICA_SET.path(world.namespace, step.pick(found)["metadata"]["name"])
        with contextlib.suppress(Refused):
            world.kube.request("DELETE", path, {"propagationPolicy": "Background"})
    return None


@act()
def disown_child(world: World, step: Step) -> Undo | None:
    """Its ownerReferences go; the person who did it deletes it in the end."""
    one = child(world, step)
    if one is None:
        return None
    world.something_was_deleted = True
    path = BY_KIND[one["kind"]].path(world.namespace, one["metadata"]["name"])

    def delete() -> None:
        world.replicas_by_hand.clear()
        live = world.kube.get(BY_KIND[one["kind"]], world.namespace, one["metadata"]["name"])
        if live is not None and controller(live) is None:
            with contextlib.suppress(Refused):
                world.kube.request("DELETE", path, {"propagationPolicy": "Background"})

    return in_force(
        world,
        lambda: patch(world, one, {"metadata": {"ownerReferences": None}}),
        delete,
        "stranger",
    )


@act()
def child_that_will_not_go(world: World, step: Step) -> Undo | None:
    """Deleted, and held by somebody's finalizer."""
    one = child(world, step, of=step.pick((DEPLOYMENT, CONFIG_MAP, SERVICE_ACCOUNT), 2))
    if one is None:
        return None
    kind, name = BY_KIND[one["kind"]], one["metadata"]["name"]
    world.something_was_deleted = True
    world.replicas_by_hand.clear()

    def hold() -> None:
        patch(world, one, {"metadata": {"finalizers": ["example.com/hold"]}})
        with contextlib.suppress(Refused):
            world.kube.delete(kind, world.namespace, name)

    def let_go() -> None:
        patch(world, one, {"metadata": {"finalizers": None}})

        def gone() -> bool:
            live = world.kube.get(kind, world.namespace, name)
            return live is None or live["metadata"]["uid"] != one["metadata"]["uid"]

        until("the held child is gone", gone)

    return in_force(world, hold, let_go, "terminating")
