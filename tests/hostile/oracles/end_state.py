"""The end state that the spec asks for: what is still missing of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from headrace_api.names import deployment_name
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.kube.apply_diff import differences
from headrace_operator.kube.kinds import BY_KIND, CRON_JOB, DEPLOYMENT, STREAM_PIPELINE
from headrace_operator.plan import PlanSettings
from headrace_operator.plan.references import ANNOTATION as REFERENCES
from headrace_operator.plan.rendered import RenderedGroup, RenderedPipeline
from headrace_operator.worker_image import DEFAULT_WORKER_IMAGE
from tests.hostile.pipelines import Manifest, consumer_group, wanted_replicas
from tests.hostile.world import World
from tests.support.kube import condition

SETTINGS = PlanSettings(worker_image=DEFAULT_WORKER_IMAGE)


def missing(world: World) -> list[str]:
    """Empty: everything is as the spec asks. Reads Redis, which has to be well.

    What is cheap to see comes first, and alone as long as it is not there.
    """
    live = world.stage.seen.get(STREAM_PIPELINE, world.namespace, world.name)
    if live is None:
        return [f"there is no pipeline {world.name}"]
    if "deletionTimestamp" in live["metadata"]:
        return [f"pipeline {world.name} is being deleted"]
    found = list(_status(live))
    backlog = world.backlog()
    for group in world.groups:
        ready = backlog.get(consumer_group(group), 0)
        found += _workers(world, group, wanted_replicas(world.manifest, group, ready))
    if found:
        scaling = condition(live, "ScalingActive")
        return [*found, f"(scaling: {in_words(scaling)})"]
    try:
        parsed = StreamPipeline.model_validate(live)
    except ValidationError as error:
        return [f"the stored spec cannot be read: {error}"]
    return [*_children(world, live, parsed), *_claims(world, live, backlog)]


def _status(live: Manifest) -> Iterator[str]:
    observed = (live.get("status") or {}).get("observedGeneration")
    if observed != live["metadata"]["generation"]:
        yield f"generation {live['metadata']['generation']} is not observed, but {observed}"
    ready = condition(live, "Ready")
    if ready is None or ready["status"] != "True":
        yield f"Ready is not True: {in_words(ready)}"
    for kind in ("Stalled", "Reconciling", "Conflict"):
        other = condition(live, kind)
        if other is not None and other["status"] == "True":
            yield f"{kind} is True: {in_words(other)}"


def _children(world: World, live: Manifest, parsed: StreamPipeline) -> Iterator[str]:
    seen, uid = world.stage.seen, live["metadata"]["uid"]
    rendered = RenderedPipeline(parsed, SETTINGS)
    wanted = set(rendered.wanted.children)
    for ref in sorted(wanted):
        child = seen.get(BY_KIND[ref.kind], world.namespace, ref.name)
        if child is None or "deletionTimestamp" in child["metadata"]:
            yield f"{ref.kind} {ref.name} is missing"
        elif controller(child) != uid:
            yield f"{ref.kind} {ref.name} is not the pipeline's"
    for kind in (DEPLOYMENT, CRON_JOB):
        for child in seen.all(kind, world.namespace):
            name = child["metadata"]["name"]
            if controller(child) == uid and (kind.kind, name) not in wanted:
                yield f"{kind.kind} {name} is not wanted any more"
    for group in rendered.groups:
        child = seen.get(DEPLOYMENT, world.namespace, group.deployment_name)
        if child is not None and (found := _differing(group, child)):
            yield f"Deployment {group.deployment_name} differs: {', '.join(found)}"


def _differing(group: RenderedGroup, child: Manifest) -> list[str]:
    """In all but its replicas; the digest of what it refers to is taken as it stands."""
    noted = child["spec"]["template"]["metadata"].get("annotations") or {}
    made = group.deployment(noted.get(REFERENCES)).manifest
    return [one for one in map(str, differences(made, child)) if one != "spec.replicas"]


def _claims(world: World, live: Manifest, backlog: dict[str, int]) -> Iterator[str]:
    for group in world.groups:
        name = consumer_group(group)
        if name not in backlog:
            yield f"consumer group {name} is not in Redis"
        elif live["metadata"]["uid"] not in (owner := world.owner(name)):
            yield f"the claim on {name} is not ours: {owner or 'nobody'}"
    for name in sorted(world.left - {consumer_group(group) for group in world.groups}):
        if live["metadata"]["uid"] in world.owner(name):
            yield f"the claim on {name}, which left, is still ours"
        if world.forgets and name in backlog:
            yield f"{name} left under Delete and is still in Redis"


def _workers(world: World, group: Manifest, wanted: int | None) -> Iterator[str]:
    name = deployment_name(world.namespace, world.name, group["name"])
    child = world.stage.seen.get(DEPLOYMENT, world.namespace, name)
    if child is None:
        return
    if wanted is None:
        wanted = world.replicas_by_hand.get(group["name"])
    replicas = child["spec"].get("replicas", 1)
    if wanted is not None and replicas != wanted:
        yield f"{name} has replicas {replicas}, not {wanted}"
    status = child.get("status") or {}
    counts = (status.get("replicas", 0), status.get("readyReplicas", 0))
    if counts != (replicas, replicas):
        yield f"{name} has {counts[0]} pods, {counts[1]} of them ready, not {replicas}"


def controller(child: Manifest) -> str | None:
    for reference in child["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return None


def in_words(one: dict[str, Any] | None) -> str:
    return f"{one['reason']}, {one['message'][:200]}" if one else "there is no condition"
