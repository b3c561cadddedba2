"""Every field of the spec changes what the operator does, or the status says that it does not yet.

What an operator does is taken from its plan (children, operations on groups, decisions, objects it
reads) and from how it reaches Redis. A field that is added to the models fails here until somebody
says how to see it act.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from tests.support.observations import (
    CLOCK,
    SETTINGS,
    backlog,
    group_backlog,
    observe,
    pipeline,
    pod,
    settled,
)

from headrace.streams.durability import Danger, Risk
from headrace_api.v1alpha1 import StreamPipeline, StreamPipelineSpec
from headrace_operator.plan import RenderedPipeline, place, plan
from headrace_operator.scaling.decide import ScalingHistory
from headrace_operator.scaling.throughput import Rates, Sample

G = "spec.groups.0"
W, D, S = f"{G}.worker", f"{G}.delivery", f"{G}.scaling"
POD = f"{W}.podTemplate.spec"
CREDENTIALS = {"spec.redis.credentialsSecretRef": {"name": "auth"}}
SENTINEL = {
    "spec.redis.mode": "Sentinel",
    "spec.redis.sentinel": {"masterName": "m", "credentialsSecretRef": {"name": "sentinels"}},
}
CA = {"spec.redis.tls": {"caSecretRef": {"name": "ca"}}}
CA_MAP = {"spec.redis.tls": {"caConfigMapRef": {"name": "ca"}}}
TRIM = {"spec.stream.trim": {"maxLength": 1000}}
TRIM_POD = "spec.stream.trim.podTemplate"
FROM_ID = {f"{G}.start": {"from": "Id", "id": "1-1"}}
FIXED = {S: {"mode": "Fixed", "replicas": 1}}
OUTPUT = {f"{G}.outputs": [{"stream": "late"}]}

RISK = Risk(Danger.NOT_PERSISTENT, "a crash loses events", "add a replica")

SHARED = {"spec": {"endpoints": ["shared:6379"]}}

# What is there before, and what the field is set to.
Case = tuple[dict[str, Any], Any]
CASES: dict[str, Case] = {
    "spec.suspend": ({}, True),
    "spec.deletionPolicy": ({}, "Delete"),
    "spec.redis.mode": ({}, "Cluster"),
    "spec.redis.endpoints": ({}, ["other:6379"]),
    "spec.redis.database": ({}, 3),
    "spec.redis.credentialsSecretRef.name": (CREDENTIALS, "other"),
    "spec.redis.credentialsSecretRef.usernameKey": (CREDENTIALS, "user"),
    "spec.redis.credentialsSecretRef.passwordKey": (CREDENTIALS, "pass"),
    "spec.redis.credentialsSecretRef.urlKey": (CREDENTIALS, "url"),
    "spec.redis.sentinel.masterName": (SENTINEL, "other"),
    "spec.redis.sentinel.credentialsSecretRef.name": (SENTINEL, "other"),
    "spec.redis.sentinel.credentialsSecretRef.usernameKey": (SENTINEL, "user"),
    "spec.redis.sentinel.credentialsSecretRef.passwordKey": (SENTINEL, "pass"),
    "spec.redis.tls.caSecretRef.name": (CA, "other"),
    "spec.redis.tls.caSecretRef.key": (CA, "root.pem"),
    "spec.redis.tls.caConfigMapRef.name": (CA_MAP, "other"),
    "spec.redis.tls.caConfigMapRef.key": (CA_MAP, "root.pem"),
    "spec.redis.tls.clientCertificateSecretRef.name": ({"spec.redis.tls": {}}, "client"),
    "spec.redis.tls.serverName": ({"spec.redis.tls": {}}, "redis.example"),
    "spec.redis.connectionRef.name": ({}, "shared"),
    "spec.redis.dataLoss": ({}, "Accept"),
    "spec.stream.name": ({}, "other"),
    "spec.stream.trim.schedule": (TRIM, "1 2 3 4 5"),
    "spec.stream.trim.timeZone": (TRIM, "Europe/Berlin"),
    "spec.stream.trim.maxLength": (TRIM, 7),
    "spec.stream.trim.maxAge": (TRIM, "24h"),
    "spec.stream.trim.policy": (TRIM, "Force"),
    "spec.stream.trim.ignoreGroups": (TRIM, ["old"]),
    "spec.stream.trim.resources": (TRIM, {"limits": {"memory": "64Mi"}}),
    f"{TRIM_POD}.metadata.labels": (TRIM, {"a": "b"}),
    f"{TRIM_POD}.metadata.annotations": (TRIM, {"a": "b"}),
    f"{TRIM_POD}.spec.nodeSelector": (TRIM, {"a": "b"}),
    f"{TRIM_POD}.spec.tolerations": (TRIM, [{"key": "a", "operator": "Exists"}]),
    f"{TRIM_POD}.spec.serviceAccountName": (TRIM, "other"),
    f"{TRIM_POD}.spec.imagePullSecrets": (TRIM, [{"name": "registry"}]),
    f"{TRIM_POD}.spec.priorityClassName": (TRIM, "high"),
    f"{TRIM_POD}.spec.runtimeClassName": (TRIM, "gvisor"),
    f"{TRIM_POD}.spec.securityContext": (TRIM, {"fsGroup": 1234}),
    "spec.deadLetter.stream": ({}, "dead"),
    "spec.deadLetter.maxLength": ({}, 7),
    f"{G}.name": ({}, "other"),
    f"{G}.consumerGroup": ({}, "Svc:Orders"),
    f"{G}.start.from": ({}, "End"),
    f"{G}.start.id": (FROM_ID, "2-2"),
    f"{W}.runtime": ({W: {"image": "acme/x:1", "runtime": "Custom"}}, "Headrace"),
    f"{W}.handler": ({}, "other:app"),
    f"{W}.codeConfigMapRef.name": ({}, "code"),
    f"{W}.image": ({}, "acme/x:1"),
    f"{W}.concurrency": ({}, 3),
    f"{W}.batchSize": ({}, 3),
    f"{W}.imagePullPolicy": ({}, "Always"),
    f"{W}.command": ({}, ["other"]),
    f"{W}.args": ({}, ["--other"]),
    f"{W}.env": ({}, [{"name": "A", "value": "b"}]),
    f"{W}.envFrom": ({}, [{"configMapRef": {"name": "environment"}}]),
    f"{W}.resources": ({}, {"limits": {"memory": "1Gi"}}),
    f"{W}.volumeMounts": (
        {f"{POD}.volumes": [{"name": "v", "emptyDir": {}}]},
        [{"name": "v", "mountPath": "/v"}],
    ),
    f"{W}.securityContext": ({}, {"runAsUser": 1234}),
    f"{W}.podTemplate.metadata.labels": ({}, {"a": "b"}),
    f"{W}.podTemplate.metadata.annotations": ({}, {"a": "b"}),
    f"{POD}.nodeSelector": ({}, {"a": "b"}),
    f"{POD}.tolerations": ({}, [{"key": "a", "operator": "Exists"}]),
    f"{POD}.affinity": ({}, {"podAntiAffinity": {}}),
    f"{POD}.topologySpreadConstraints": (
        {},
        [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    ),
    f"{POD}.volumes": ({}, [{"name": "v", "emptyDir": {}}]),
    f"{POD}.serviceAccountName": ({}, "other"),
    f"{POD}.imagePullSecrets": ({}, [{"name": "registry"}]),
    f"{POD}.priorityClassName": ({}, "high"),
    f"{POD}.runtimeClassName": ({}, "gvisor"),
    f"{POD}.schedulerName": ({}, "other"),
    f"{POD}.securityContext": ({}, {"fsGroup": 1234}),
    f"{POD}.terminationGracePeriodSeconds": ({}, 99),
    f"{D}.handlerTimeout": ({}, "44s"),
    f"{D}.maxRetries": ({}, 9),
    f"{D}.maxCrashes": ({}, 9),
    f"{D}.backoff.initial": ({}, "2s"),
    f"{D}.backoff.max": ({}, "99s"),
    f"{D}.minIdle": ({}, "99s"),
    f"{D}.onUnknownType": ({}, "Skip"),
    f"{D}.deduplicate.window": ({}, "1h"),
    f"{D}.deduplicate.field": ({}, "key"),
    f"{D}.replicas": ({}, 1),
    f"{S}.mode": ({}, "External"),
    f"{S}.replicas": (FIXED, 3),
    f"{S}.minReplicas": ({}, 7),
    f"{S}.maxReplicas": ({}, 1),
    f"{S}.targetBacklog": ({}, 50),
    f"{S}.targetDelay": ({}, "1s"),
    f"{S}.scaleDownAfter": ({}, "1s"),
    f"{S}.fallbackReplicas": ({}, 4),
    f"{G}.reclaim.schedule": ({}, "1 2 3 4 5"),
    f"{G}.reclaim.count": ({}, 7),
    f"{G}.outputs.0.stream": (OUTPUT, "other"),
    f"{G}.outputs.0.maxLength": (OUTPUT, 7),
}
# What has to change with a field, as the one is not allowed without the other.
NEEDS: dict[str, dict[str, Any]] = {
    f"{W}.runtime": {f"{W}.handler": "handlers:app"},
    "spec.redis.credentialsSecretRef.urlKey": {"spec.redis.endpoints": []},
    "spec.redis.connectionRef.name": {"spec.redis.endpoints": []},
}


def test_no_field_of_the_spec_is_left_out() -> None:
    covered = {path.replace("groups.0", "groups").replace("outputs.0", "outputs") for path in CASES}
    assert covered == set(fields(StreamPipelineSpec, "spec"))


@pytest.mark.parametrize("path", CASES)
def test_it_changes_what_is_done(path: str) -> None:
    before, value = CASES[path]
    base, changed = pipeline(before), pipeline({**before, path: value, **NEEDS.get(path, {})})
    assert doings(base) != doings(changed)


def doings(subject: StreamPipeline) -> list[object]:
    """Everything that the operator would do for it, in several worlds."""
    subject = place.with_redis(subject, place.named(subject, SHARED))
    if subject.spec.redis.url_key is not None:
        subject = place.with_redis(subject, subject.spec.redis.at("redis:6379", 0, tls=False))
    named = [group.consumer_group_name for group in subject.spec.groups]
    busy = {name: group_backlog(400) for name in named}
    dark = {name: group_backlog(None) for name in named}
    idle = observe(subject)
    names = [group.name for group in subject.spec.groups]
    dark_for_long = dict.fromkeys(names, ScalingHistory(unknown_since=0.0))
    # 100 entries/s arrive and a worker does 50/s; 20 s ago 8 workers were needed.
    samples = tuple(Sample(CLOCK - ago, 5000 - 100 * ago, 400, 400, 2) for ago in (20, 10))
    rates = Rates(samples, per_worker=50.0, measured_at=CLOCK)
    measured = dict.fromkeys(names, ScalingHistory(((CLOCK - 20, 8),), rates=rates))
    worlds = [
        idle,
        replace(idle, backlog=backlog(**busy)),
        replace(idle, backlog=backlog(**dark), history=dark_for_long),
        replace(idle, backlog=backlog(**busy), history=measured, pods=(pod("a"), pod("b"))),
        replace(idle, history=measured),
        without_the_group(settled(subject)),
    ]
    found: list[object] = [RenderedPipeline(subject, SETTINGS).wanted, subject.endpoints]
    for world in worlds:
        made = plan(world, SETTINGS)
        numbers = [(workers.group, workers.wanted) for workers in made.workers]
        found.append((made.applies, made.scales, made.deletes, made.group_operations, numbers))
    at_risk = plan(replace(idle, risk=RISK), SETTINGS).status["conditions"]
    found.append([one["type"] for one in at_risk])
    return found


def without_the_group(world: Any) -> Any:
    """Another group instead: the old one is treated by deletionPolicy."""
    groups = (
        world.pipeline.spec.groups[0].model_copy(update={"name": "n", "consumer_group": "n"}),
    )
    spec = world.pipeline.spec.model_copy(update={"groups": groups})
    return replace(world, pipeline=world.pipeline.model_copy(update={"spec": spec}))


def fields(model: type[BaseModel], path: str) -> Iterator[str]:
    """Dotted paths of all fields that are ours; Kubernetes' own are taken as a whole."""
    for name, field in model.model_fields.items():
        at = f"{path}.{field.alias or name}"
        inner = next(models(field.annotation), None)
        ours = inner and not inner.__module__.endswith(("container", "pod_template"))
        template = at.endswith(("podTemplate", "podTemplate.spec", "podTemplate.metadata"))
        if inner and (ours or template):
            yield from fields(inner, at)
        else:
            yield at


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models(argument)
