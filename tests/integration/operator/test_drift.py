"""Hand edits are put right; what others add stays; a lasting fight ends in a sentence."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube, condition, versions
from tests.support.kubectl import Kubectl
from tests.support.manifests import EXAMPLES
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import LEAP_DAY, group
from tests.support.waiting import WAIT_SECONDS, until

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    SERVICE_ACCOUNT,
    STREAM_PIPELINE,
    Kind,
)

NAME = "flights-audit"
LOOKS = "headrace_operator_reconciles_total"


@pytest.fixture
def pipeline(
    kube: Kube, operator: OperatorProcess, namespace: str, data: redis.Redis, make: Any
) -> Any:
    make(
        stream={"name": "flights", "trim": {"maxLength": 1000, "schedule": LEAP_DAY}},
        groups=[group("audit", reclaim={"schedule": LEAP_DAY})],
    )

    def settled() -> Any:
        found = kube.get(STREAM_PIPELINE, namespace, "flights")
        status = condition(found, "Ready")
        return status and status["status"] == "True" and "lag" in found["status"] and found  # type: ignore[index]

    return until("Ready", settled)


def container(kube: Kube, namespace: str) -> dict[str, Any]:
    live = kube.get(DEPLOYMENT, namespace, NAME)
    assert live
    found: dict[str, Any] = live["spec"]["template"]["spec"]["containers"][0]
    return found


def edit(kube: Kube, namespace: str, change: dict[str, Any], manager: str = "kubectl-edit") -> None:
    """As kubectl edit does it: a strategic merge patch by another manager."""
    kube.request(
        "PATCH",
        DEPLOYMENT.path(namespace, NAME),
        {"spec": {"template": {"spec": {"containers": [{"name": "worker", **change}]}}}},
        "application/strategic-merge-patch+json",
        [("fieldManager", manager)],
    )


def test_a_hand_edited_field_is_put_right_within_a_second(
    kube: Kube, namespace: str, pipeline: Any
) -> None:
    image = container(kube, namespace)["image"]
    edited = time.monotonic()
    edit(kube, namespace, {"image": "evil:1"})
    until("our image", lambda: container(kube, namespace)["image"] == image)
    assert time.monotonic() - edited < 2


def test_what_somebody_added_is_theirs_and_stays(
    kube: Kube, operator: OperatorProcess, namespace: str, pipeline: Any
) -> None:
    edit(kube, namespace, {"env": [{"name": "INJECTED", "value": "x"}]})
    edit(kube, namespace, {"image": "evil:1"})  # so that the operator does write once more
    until("our image", lambda: container(kube, namespace)["image"] != "evil:1")
    assert "INJECTED" in {variable["name"] for variable in container(kube, namespace)["env"]}


def test_scaling_by_hand_is_put_right(kube: Kube, namespace: str, pipeline: Any) -> None:
    kube.patch(DEPLOYMENT, namespace, NAME, {"spec": {"replicas": 3}}, sub="scale")

    def replicas() -> int:
        live = kube.get(DEPLOYMENT, namespace, NAME)
        assert live
        number: int = live["spec"]["replicas"]
        return number

    until("no workers", lambda: replicas() == 0, within=90)


@pytest.mark.parametrize(
    "kind", [DEPLOYMENT, CONFIG_MAP, CRON_JOB, SERVICE_ACCOUNT], ids=lambda k: k.kind
)
def test_a_deleted_child_comes_back(kube: Kube, namespace: str, pipeline: Any, kind: Kind) -> None:
    before = kube.list(kind, namespace, "headrace.dev/pipeline=flights")
    assert before
    for child in before:
        kube.delete(kind, namespace, child["metadata"]["name"])

    def back() -> bool:
        now = kube.list(kind, namespace, "headrace.dev/pipeline=flights")
        names = [{child["metadata"]["name"] for child in some} for some in (before, now)]
        uids = [{child["metadata"]["uid"] for child in some} for some in (before, now)]
        return names[0] == names[1] and not uids[0] & uids[1]

    until(f"another {kind.kind}", back)


def test_a_field_lost_again_and_again_becomes_a_condition(
    kube: Kube, namespace: str, pipeline: Any
) -> None:
    ours = container(kube, namespace)["image"]
    for number in range(4):
        edit(kube, namespace, {"image": f"evil:{number}"}, manager="another-operator")
        until("our image", lambda: container(kube, namespace)["image"] == ours)
    edit(kube, namespace, {"image": "evil:last"}, manager="another-operator")

    def conflict() -> Any:
        found = condition(kube.get(STREAM_PIPELINE, namespace, "flights"), "Conflict")
        return found and found["status"] == "True" and found

    found = until("the condition Conflict", conflict)
    assert "another-operator" in found["message"]
    assert "image" in found["message"]
    assert container(kube, namespace)["image"] == "evil:last", "no more fighting for 10 minutes"


def test_nothing_is_written_when_nothing_differs(
    kube: Kube, operator: OperatorProcess, namespace: str, pipeline: Any
) -> None:
    looks = operator.metric(LOOKS, result="ok")
    until("a first look", lambda: operator.metric(LOOKS, result="ok") >= looks + 2, within=60)
    before = versions(kube, namespace)
    looks = operator.metric(LOOKS, result="ok")
    until(
        "looked at several times",  # the full look comes every 2 seconds here
        lambda: operator.metric(LOOKS, result="ok") >= looks + 4,
        within=60,
    )
    assert versions(kube, namespace) == before


@pytest.mark.timeout(400)
def test_a_reconciled_example_shows_no_difference_to_its_file(
    kube: Kube, operator: OperatorProcess, namespace: str, control_plane: ControlPlane
) -> None:
    """What GitOps tools compare: by both kinds of apply, after the operator was at it."""
    kubectl = Kubectl(control_plane.kubeconfig, control_plane.kubectl_path)
    files = [word for path in EXAMPLES for word in ("-f", str(path))]
    for way in ([], ["--server-side", "--force-conflicts"]):
        kubectl("apply", *way, "-n", namespace, *files)

        def observed() -> bool:
            found = kube.list(STREAM_PIPELINE, namespace)
            return len(found) == len(EXAMPLES) and all(
                one["status"].get("observedGeneration") == one["metadata"]["generation"] == 1
                for one in found
            )

        until("all are told of, and none was changed", observed, within=2 * WAIT_SECONDS)
        shown = kubectl.attempt("diff", *way, "-n", namespace, *files)
        assert shown.returncode == 0, shown.stdout + shown.stderr
