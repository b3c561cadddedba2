"""Labels of children are edited by people and tools: nothing is lost from sight by that."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.waiting import until

from headrace_operator.kube.kinds import CRON_JOB, DEPLOYMENT, POD, STREAM_PIPELINE, Kind

MANAGED_BY = "app.kubernetes.io/managed-by"
FIXED = {"mode": "Fixed", "replicas": 2}
TRIMMED = {"name": "flights", "trim": {"maxLength": 10}}
BOTH = [group("audit", scaling=FIXED), group("old", scaling=FIXED)]


def relabel(kube: Kube, kind: Kind, namespace: str, name: str, label: str, value: str) -> None:
    kube.patch(kind, namespace, name, {"metadata": {"labels": {label: value}}})


def edited_and_put_right(kube: Kube, kind: Kind, namespace: str, name: str) -> None:
    """As `helm` does when it adopts an object."""
    relabel(kube, kind, namespace, name, MANAGED_BY, "Helm")

    def right() -> bool:
        live = kube.get(kind, namespace, name)
        return live is not None and live["metadata"]["labels"][MANAGED_BY] == "headrace"

    until("the label is put right", right)


@pytest.fixture
def pipeline(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> None:
    make(
        groups=BOTH, stream={"name": "flights", "trim": {"maxLength": 10}}, deletionPolicy="Delete"
    )
    for name in ("flights-audit", "flights-old"):
        until(name, lambda name=name: kube.replicas(namespace, name) == 2)  # type: ignore[misc]
    until("a trim", lambda: kube.get(CRON_JOB, namespace, "flights-trim"))


@pytest.mark.usefixtures("pipeline")
def test_drift_is_still_seen_after_the_label_was_edited(kube: Kube, namespace: str) -> None:
    edited_and_put_right(kube, DEPLOYMENT, namespace, "flights-old")
    kube.patch(DEPLOYMENT, namespace, "flights-old", {"spec": {"replicas": 7}})
    until("our number", lambda: kube.replicas(namespace, "flights-old") == 2, within=5)


@pytest.mark.usefixtures("pipeline")
def test_a_group_leaves_and_a_trim_goes_after_their_labels_were_edited(
    kube: Kube, namespace: str, data: redis.Redis, make: Any
) -> None:
    edited_and_put_right(kube, DEPLOYMENT, namespace, "flights-old")
    edited_and_put_right(kube, CRON_JOB, namespace, "flights-trim")
    make(groups=BOTH[:1], deletionPolicy="Delete")
    until("no trim", lambda: kube.get(CRON_JOB, namespace, "flights-trim") is None)
    until("no old workers", lambda: kube.replicas(namespace, "flights-old") is None, within=40)
    until("no old group", lambda: [g["name"] for g in data.xinfo_groups("flights")] == ["audit"])
    assert kube.replicas(namespace, "flights-audit") == 2


@pytest.mark.usefixtures("pipeline")
def test_a_deletion_ends_after_labels_were_edited(
    kube: Kube, namespace: str, data: redis.Redis
) -> None:
    edited_and_put_right(kube, DEPLOYMENT, namespace, "flights-old")
    kube.delete(STREAM_PIPELINE, namespace, "flights")
    until("gone", lambda: kube.get(STREAM_PIPELINE, namespace, "flights") is None, within=60)
    assert data.xinfo_groups("flights") == []


@pytest.mark.usefixtures("pipeline")
def test_an_edited_group_label_scales_nothing_down(kube: Kube, namespace: str) -> None:
    before = kube.get(DEPLOYMENT, namespace, "flights-audit")
    relabel(kube, DEPLOYMENT, namespace, "flights-audit", "headrace.dev/group", "other")

    def right() -> bool:
        live = kube.get(DEPLOYMENT, namespace, "flights-audit")
        return bool(live) and live["metadata"]["labels"]["headrace.dev/group"] == "audit"  # type: ignore[index]

    until("the label is put right", right)
    after = kube.get(DEPLOYMENT, namespace, "flights-audit")
    assert before
    assert after
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["replicas"] == 2


@pytest.mark.usefixtures("pipeline")
def test_a_deletion_does_not_wait_for_what_was_orphaned_or_taken_out(
    kube: Kube, namespace: str
) -> None:
    until("four pods", lambda: len(kube.list(POD, namespace)) == 4)
    quarantined = kube.list(POD, namespace, "headrace.dev/group=old")[0]["metadata"]["name"]
    # Out of its ReplicaSet, for somebody to look at.
    kube.patch(POD, namespace, quarantined, {"metadata": {"labels": {"headrace.dev/group": None}}})
    kube.request(
        "DELETE",
        STREAM_PIPELINE.path(namespace, "flights"),
        {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"},
    )
    until("gone", lambda: kube.get(STREAM_PIPELINE, namespace, "flights") is None, within=60)


@pytest.mark.usefixtures("pipeline")
def test_a_deletion_says_what_it_waits_for(kube: Kube, namespace: str) -> None:
    until("four pods", lambda: len(kube.list(POD, namespace)) == 4)
    held = kube.list(POD, namespace)[0]["metadata"]["name"]
    kube.patch(POD, namespace, held, {"metadata": {"finalizers": ["test.dev/slow"]}})
    kube.delete(STREAM_PIPELINE, namespace, "flights")

    def said() -> bool:
        ready = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Ready")
        return bool(ready) and ready["reason"] == "Deleting" and held in ready["message"]  # type: ignore[index]

    until("the status names the pod", said, within=30)
    kube.patch(POD, namespace, held, {"metadata": {"finalizers": None}})
    until("gone", lambda: kube.get(STREAM_PIPELINE, namespace, "flights") is None, within=60)
