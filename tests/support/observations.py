"""Observations for tests of the plan: a world described in a few words, no mocks."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from headrace.streams.backlog import GroupBacklog, Quality, StreamBacklog
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.identity import owner_of_pipeline
from headrace_operator.plan import Plan, PlanSettings, plan
from headrace_operator.plan.observation import (
    ChildRef,
    ClaimState,
    GroupClaim,
    Observation,
)
from tests.support.manifests import manifest

NOW = 1_800_000_000.0
CLOCK = 10_000.0
SETTINGS = PlanSettings(worker_image="ghcr.io/headrace/worker:0.1.0")
UID = "0b2c5f0e-0000-4000-8000-000000000001"
OURS = GroupClaim(ClaimState.OURS)


def pipeline(changes: dict[str, Any] | None = None, generation: int = 1) -> StreamPipeline:
    """The smallest good pipeline with changes by dotted path, as the API server would send it."""
    written = manifest(changes)
    written["metadata"] |= {"uid": UID, "generation": generation, "resourceVersion": "1"}
    return StreamPipeline.model_validate(written)


def group_backlog(lag: int | None, **facts: Any) -> GroupBacklog:
    quality = Quality.UNKNOWN if lag is None else Quality.EXACT
    base = GroupBacklog(
        exists=True,
        lag=lag,
        quality=quality,
        source="lag of XINFO GROUPS",
        owner=owner_of_pipeline(pipeline()),
    )
    return replace(base, **facts)


def backlog(**groups: GroupBacklog) -> StreamBacklog:
    """A stream of 1,000 entries with these groups, by name with `_` for `-`."""
    named = {name.replace("_", "-"): group for name, group in groups.items()}
    return StreamBacklog(
        "flights",
        exists=True,
        length=1000,
        entries_added=5000,
        first_id="1700000000000-0",
        last_id="1700000009999-0",
        groups=named,
        server_ms=1_700_000_010_000,
    )


def observe(subject: StreamPipeline, **facts: Any) -> Observation:
    """All groups claimed, an empty backlog and no children, unless said otherwise."""
    groups = {g.consumer_group_name: group_backlog(0) for g in subject.spec.groups}
    known: dict[str, Any] = {
        "children": {},
        "now": NOW,
        "clock": CLOCK,
        "claims": {g.name: OURS for g in subject.spec.groups},
        "backlog": replace(backlog(), groups=groups),
    }
    return Observation(pipeline=subject, **(known | facts))


def live(manifest_: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A child as the API server would keep it after `headrace` applied it."""
    result = copy.deepcopy(manifest_)
    result["metadata"] |= {
        "uid": f"uid-{result['kind']}-{result['metadata']['name']}",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": stamp(NOW - 1000),
    }
    spec = result.get("spec", {})
    fields = {"f:spec": {"f:replicas": {}}} if "replicas" in spec else {"f:spec": {}}
    result["metadata"]["managedFields"] = [
        {"manager": "headrace", "operation": "Apply", "fieldsV1": fields}
    ]
    if result["kind"] == "Deployment":
        spec.setdefault("replicas", 1)
        number = spec["replicas"]
        settled = {"observedGeneration": 1, "replicas": number, "updatedReplicas": number}
        result["status"] = settled | status
    return result


def applied(made: Plan, before: Observation | None = None) -> dict[ChildRef, dict[str, Any]]:
    """The children after this plan was carried out, scales included."""
    children: dict[ChildRef, Any] = dict(before.children) if before else {}
    for apply in made.applies:
        children[apply.ref] = _kept(live(apply.manifest), children.get(apply.ref))
    for scale in made.scales:
        child = copy.deepcopy(children[ChildRef("Deployment", scale.deployment)])
        child["spec"]["replicas"] = scale.replicas
        child["metadata"]["managedFields"].append(
            {
                "manager": scale.manager,
                "operation": "Apply",
                "subresource": "scale",
                "fieldsV1": {"f:spec": {"f:replicas": {}}},
            }
        )
        children[ChildRef("Deployment", scale.deployment)] = child
    for delete in made.deletes:
        children.pop(delete.ref, None)
    return children


def _kept(new: dict[str, Any], old: Any) -> dict[str, Any]:
    """Replicas as server-side apply leaves them: another owner's number stays, else 1."""
    if new["kind"] != "Deployment" or old is None:
        return new
    ours, *_ = new["metadata"]["managedFields"]
    if "f:replicas" in ours["fieldsV1"]["f:spec"]:
        return new
    others = [e for e in old["metadata"]["managedFields"] if e["manager"] != "headrace"]
    if any("f:replicas" in e["fieldsV1"]["f:spec"] for e in others):
        new["spec"]["replicas"] = old["spec"]["replicas"]
    new["metadata"]["managedFields"] += others
    return new


def settled(subject: StreamPipeline, **facts: Any) -> Observation:
    """The world after a first plan for `subject` was carried out, with everything as wanted."""
    first = observe(subject, **facts)
    made = plan(first, SETTINGS)
    return replace(first, children=applied(made, first), history=made.history)


def pod(
    name: str, group: str = "delays", *, ready: bool = True, age: float = 300, **container: Any
) -> dict[str, Any]:
    """A worker's pod; `container`: state, restartCount, lastState of the worker container."""
    created = NOW - age
    labels = {"headrace.dev/pipeline": "flights", "headrace.dev/group": group}
    became_ready = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": stamp(created + 4),
    }
    running = {"running": {"startedAt": stamp(created + 2)}}
    return {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": stamp(created)},
        "status": {
            "phase": "Running",
            "conditions": [became_ready],
            "containerStatuses": [
                {"name": "worker", "restartCount": 0, "state": running} | container
            ],
        },
    }


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def child(made: Plan, kind: str, name: str) -> dict[str, Any]:
    """The manifest that a plan applies; KeyError when it does not."""
    return next(
        (a.manifest for a in made.applies if a.ref == ChildRef(kind, name)), None
    ) or _missing(made, kind, name)


def _missing(made: Plan, kind: str, name: str) -> dict[str, Any]:
    raise KeyError(f"no {kind} {name} among {[tuple(a.ref) for a in made.applies]}")


def condition(made: Plan, kind: str) -> dict[str, Any] | None:
    return next((c for c in made.status["conditions"] if c["type"] == kind), None)
