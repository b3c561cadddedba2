"""What a cluster's administrators and their policy engines do."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from headrace_operator.kube.kinds import CONFIG_MAP
from tests.hostile import rights
from tests.hostile.actions.registry import act, in_force
from tests.hostile.pipelines import Manifest
from tests.hostile.story import Step
from tests.hostile.world import Undo, World
from tests.support.kube import Refused
from tests.support.waiting import until

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
API = "admissionregistration.k8s.io/v1"
QUOTAS = "/api/v1/namespaces/{}/resourcequotas"
TARGETS = (
    ("apps", "deployments"),
    ("apps", "deployments"),
    ("", "configmaps"),
    ("", "serviceaccounts"),
    ("batch", "cronjobs"),
    ("headrace.dev", "streampipelines/status"),
    ("", "pods"),
)
GROUP = "headrace.dev/group"
GROUPS = ("audit", "delays", "bills")


def _rules(group: str, resource: str) -> list[Manifest]:
    operations = ["CREATE", "UPDATE"]
    rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": [resource]}
    return [{**rule, "operations": operations}]


def _selectors(world: World, step: Step, resource: str) -> dict[str, Any]:
    """This namespace, this pipeline (so that the neighbour in it is spared), perhaps one group."""
    here = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
    if resource.startswith("streampipelines"):
        named = {"name": "this", "expression": f"request.name == '{world.name}'"}
        return {"namespaceSelector": here, "matchConditions": [named]}
    labels = {"headrace.dev/pipeline": world.name}
    if resource in ("deployments", "configmaps") and step.chance(0.6, 1):
        labels[GROUP] = step.pick(GROUPS, 2)
    return {"namespaceSelector": here, "objectSelector": {"matchLabels": labels}}


def _causes(resource: str) -> tuple[str, ...]:
    if resource.startswith("streampipelines"):
        return ("mute",)
    return ("pods refused",) if resource == "pods" else ("refused",)


@act(weight=5)
def webhook_is_down(world: World, step: Step) -> Undo | None:
    """failurePolicy Fail, and nobody answers: 500 for what it is asked about."""
    group, resource = step.pick(TARGETS)
    name, path = f"broken-{world.id}", f"{ADMISSION}/validatingwebhookconfigurations"
    webhook = {
        "name": "broken.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/x"},
        "rules": _rules(group, resource),
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 2,
        "admissionReviewVersions": ["v1"],
        **_selectors(world, step, resource),
    }
    manifest = {
        "apiVersion": API,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }
    if world.causes["webhook"]:
        return None
    return in_force(
        world,
        lambda: world.kube.request("POST", path, manifest),
        lambda: world.kube.request("DELETE", f"{path}/{name}"),
        "webhook",
        *_causes(resource),
    )


@act(weight=4)
def policy_refuses(world: World, step: Step) -> Undo | None:
    """A ValidatingAdmissionPolicy with a sentence: 422 or 403."""
    group, resource = step.pick(TARGETS)
    name = f"refuse-{world.id}"
    policies, bindings = (
        f"{ADMISSION}/validatingadmissionpolicies",
        f"{ADMISSION}/validatingadmissionpolicybindings",
    )
    selectors = _selectors(world, step, resource)
    conditions = selectors.pop("matchConditions", [])
    match = {"resourceRules": _rules(group, resource), **selectors}
    policy = {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": match,
            "matchConditions": conditions,
            "validations": [
                {
                    "expression": "false",
                    "message": "the airport's policy is against it",
                    "reason": step.pick(("Invalid", "Forbidden"), 3),
                }
            ],
        },
    }
    binding = {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    if world.causes["policy"]:
        return None

    def do() -> None:
        world.kube.request("POST", policies, policy)
        world.kube.request("POST", bindings, binding)

    def undo() -> None:
        world.kube.request("DELETE", f"{bindings}/{name}")
        world.kube.request("DELETE", f"{policies}/{name}")

    return in_force(world, do, undo, "policy", *_causes(resource))


@act(weight=3)
def quota(world: World, step: Step) -> Undo | None:
    """Nothing more of a kind may be created in the namespace."""
    resource = step.pick(
        ("pods", "count/deployments.apps", "count/configmaps", "count/cronjobs.batch")
    )
    path = QUOTAS.format(world.namespace)
    manifest = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tight"},
        "spec": {"hard": {resource: "1"}},
    }
    if world.causes["quota"]:
        return None

    def undo() -> None:
        world.kube.request("DELETE", f"{path}/tight")
        probe = {"apiVersion": "v1", "kind": CONFIG_MAP.kind}
        metadata = {"generateName": "probe-", "namespace": world.namespace}

        def lifted() -> bool:
            query = [("dryRun", "All")]
            where = CONFIG_MAP.path(world.namespace)
            with contextlib.suppress(Refused):
                world.kube.request("POST", where, {**probe, "metadata": metadata}, query=query)
                return True
            return False

        until("the quota is lifted", lifted)

    return in_force(
        world, lambda: world.kube.request("POST", path, manifest), undo, "quota", "namespace"
    )


@act(weight=4)
def rights_are_taken_away(world: World, step: Step) -> Undo | None:
    """The operator may not write here, or may not read Secrets."""
    role = step.pick((rights.WRITE, rights.SECRETS))
    if world.causes[role]:
        return None

    def do() -> None:
        rights.unbind(world.kube, world.namespace, role)
        time.sleep(0.2)  # until the authorizer has heard of it

    causes = (role, "namespace", "mute") if role == rights.WRITE else (role,)
    return in_force(world, do, lambda: rights.bind(world.kube, world.namespace, role), *causes)
