"""What kubectl shows of the resource reads well."""

import json
from typing import Any

from tests.support.kubectl import Kubectl
from tests.support.manifests import manifest

from headrace_api.v1alpha1 import Status

FULL_STATUS: dict[str, Any] = {
    "endpoint": "redis:6379",
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Stalled",
            "status": "False",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
            "reason": "Available",
            "message": "not this one",
        },
        {
            "type": "Ready",
            "status": "True",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
            "reason": "Available",
            "message": "all workers are ready",
        },
    ],
    "workers": "3/5",
    "replicas": 5,
    "readyReplicas": 3,
    "lag": 5_000_000_000,
    "pending": 12,
    "deadLetters": 9430,
    "stream": {"length": 7, "entriesAdded": 9, "firstId": "1-0", "lastId": "9-0"},
    "groups": [
        {
            "name": "delays",
            "consumerGroup": "delays",
            "deployment": "flights-delays",
            "replicas": 5,
            "readyReplicas": 3,
            "desiredReplicas": 5,
            "lag": 5_000_000_000,
            "lagSource": "exact",
            "pending": 12,
            "parked": 2,
            "oldestAgeSeconds": 61,
            "floorId": "1-0",
        }
    ],
    "orphanedGroups": [{"name": "old", "consumerGroup": "Svc:Old"}],
}


def test_the_definition_is_established(crd_kubectl: Kubectl) -> None:
    crd = crd_kubectl.get("crd", "streampipelines.headrace.dev")
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["Established"] == conditions["NamesAccepted"] == "True"
    # a schema that is not structural is accepted, and then neither pruned nor defaulted
    assert "NonStructuralSchema" not in conditions


def test_columns_show_state_backlog_and_age(crd_kubectl: Kubectl, namespace: str) -> None:
    crd_kubectl("create", "-f", "-", stdin=json.dumps(manifest({"metadata.namespace": namespace})))
    header, row = crd_kubectl("-n", namespace, "get", "spl").splitlines()
    assert header.split() == ["NAME", "READY", "WORKERS", "LAG", "PENDING", "DEAD", "AGE"]
    assert len(row.split()) == 2  # name and age: what is not known is blank, not 0
    crd_kubectl(
        *("-n", namespace, "patch", "spl", "flights", "--type=merge", "--subresource=status"),
        *("-p", json.dumps({"status": FULL_STATUS})),
    )
    row = crd_kubectl("-n", namespace, "get", "streampipelines").splitlines()[1]
    assert row.split()[:6] == ["flights", "True", "3/5", "5000000000", "12", "9430"]
    header, row = crd_kubectl("-n", namespace, "get", "headrace", "-o", "wide").splitlines()
    assert header.split()[7:] == ["REDIS", "STREAM", "MESSAGE"]
    assert row.split(maxsplit=9)[7:] == ["redis:6379", "flights", "all workers are ready"]


def test_the_whole_status_is_kept_and_read_back(crd_kubectl: Kubectl, namespace: str) -> None:
    crd_kubectl("create", "-f", "-", stdin=json.dumps(manifest({"metadata.namespace": namespace})))
    crd_kubectl(
        *("-n", namespace, "patch", "spl", "flights", "--type=merge", "--subresource=status"),
        *("-p", json.dumps({"status": FULL_STATUS})),
    )
    live = crd_kubectl.get("-n", namespace, "spl", "flights")["status"]
    assert live == FULL_STATUS
    read = Status.model_validate(live)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == FULL_STATUS


def explained(kubectl: Kubectl, path: str) -> str:
    """With line breaks undone."""
    return " ".join(kubectl("explain", path).split())


def test_explain_tells_each_field_of_a_group(crd_kubectl: Kubectl) -> None:
    text = explained(crd_kubectl, "streampipeline.spec.groups")
    assert "One to 16 consumer groups. Each gets every entry and has its own workers." in text
    for field in ("consumerGroup", "delivery", "outputs", "reclaim", "scaling", "start", "worker"):
        assert f" {field} <" in text


def test_explain_tells_defaults_that_the_schema_does_not_have(crd_kubectl: Kubectl) -> None:
    assert "Default: 16." in explained(crd_kubectl, "spl.spec.groups.worker.concurrency")
    assert "Default: 30s." in explained(crd_kubectl, "spl.spec.groups.delivery.handlerTimeout")
    assert "Default: Automatic." in explained(crd_kubectl, "spl.spec.groups.scaling.mode")
