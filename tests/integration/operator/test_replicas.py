"""Who decides the number of workers, on a real API server: every number that was ever written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group
from tests.support.replica_history import ReplicaHistory
from tests.support.waiting import until

from headrace.streams.keys import PARKED, StreamKeys
from headrace_operator.kube.kinds import DEPLOYMENT, EVENT, STREAM_PIPELINE
from headrace_operator.scaling.decide import DEFAULT_STARTUP_SECONDS

NAME = "flights-audit"


def scaled(**scaling: Any) -> list[dict[str, Any]]:
    return [group("audit", scaling=scaling)]


EXTERNAL = scaled(mode="External")
AUTOMATIC = scaled(scaleDownAfter="1s")


def fixed(replicas: int) -> list[dict[str, Any]]:
    return scaled(mode="Fixed", replicas=replicas)


class Workers:
    """The one Deployment of a pipeline, and the pipeline around it."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        make: Any,
        history: ReplicaHistory,
        kubectl: Any,
        operator: OperatorProcess,
    ) -> None:
        self.kube = kube
        self.namespace = namespace
        self.history = history
        self._make = make
        self._kubectl = kubectl
        self._operator = operator

    def spec(self, **fields: Any) -> None:
        """Applies a spec and waits for its status, which comes after its children."""
        generation = self._make(**fields)["metadata"]["generation"]

        def observed() -> bool:
            pipeline = self.kube.get(STREAM_PIPELINE, self.namespace, "flights")
            assert pipeline
            return bool(pipeline["status"]["observedGeneration"] >= generation)

        until("the spec is carried out", observed)

    def scale(self, replicas: int) -> None:
        """As a person does it."""
        self._kubectl(
            "scale", f"--namespace={self.namespace}", f"deployment/{NAME}", f"--replicas={replicas}"
        )

    def autoscale(self, low: int, high: int) -> None:
        """With a HorizontalPodAutoscaler."""
        where = (f"--namespace={self.namespace}", f"deployment/{NAME}")
        self._kubectl("autoscale", *where, f"--min={low}", f"--max={high}", "--cpu-percent=50")

    def metric(self, name: str) -> float:
        return self._operator.metric(name, namespace=self.namespace, group="audit")

    def told(self, reason: str) -> list[str]:
        """The notes of all Events of this reason, in the order of their time."""
        found = [e for e in self.kube.list(EVENT, self.namespace) if e["reason"] == reason]
        return [event["note"] for event in sorted(found, key=lambda event: event["eventTime"])]

    def replicas(self) -> int:
        live = self.kube.get(DEPLOYMENT, self.namespace, NAME)
        assert live
        return int(live["spec"]["replicas"])

    def went_through(self, *numbers: int) -> None:
        """Exactly these numbers, one after the other; the watch may be a moment behind."""
        seen = self.history.numbers
        until(f"{numbers}", lambda: seen[NAME] == list(numbers))

    def owners(self) -> set[str]:
        live = self.kube.get(DEPLOYMENT, self.namespace, NAME)
        assert live
        return {
            entry["manager"]
            for entry in live["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        }


@pytest.fixture
def workers(
    kube: Kube,
    control_plane: ControlPlane,
    operator: OperatorProcess,
    namespace: str,
    make: Any,
    data: redis.Redis,
) -> Iterator[Workers]:
    with ReplicaHistory(kube, namespace) as history:
        yield Workers(kube, namespace, make, history, control_plane.kubectl, operator)


def test_a_burst_scales_from_0_to_the_number_needed_in_one_step_and_back_in_another(
    workers: Workers, data: redis.Redis
) -> None:
    workers.spec(groups=AUTOMATIC)
    with data.pipeline(transaction=False) as pipe:
        for n in range(450):
            pipe.xadd("flights", {"n": n})
        pipe.execute()
    until("5 workers", lambda: workers.replicas() == 5)
    until("the metrics say so", lambda: workers.metric("headrace_scaling_wanted_replicas") == 5)
    assert workers.metric("headrace_stream_group_ready") == 450
    data.xgroup_setid("flights", "audit", "$")
    until("0 workers", lambda: workers.replicas() == 0)
    workers.went_through(0, 5, 0)
    until("both are counted", lambda: workers.metric("headrace_scaling_decisions_total") == 2)
    until("both are told", lambda: len(workers.told("Scaled")) == 2)
    up, down = workers.told("Scaled")
    assert up == "audit: 0 to 5 workers: 450 ready, 100 for each worker"
    assert down == "audit: 5 to 0 workers: nothing is ready and nothing falls due"


def test_a_retry_tomorrow_holds_no_worker_and_one_that_falls_due_soon_finds_one(
    workers: Workers, data: redis.Redis
) -> None:
    workers.spec(groups=AUTOMATIC)
    data.xadd("flights", {"n": 1})
    until("a worker", lambda: workers.replicas() == 1)
    ((_, ((entry, _),)),) = data.xreadgroup("audit", PARKED, {"flights": ">"})
    retry = StreamKeys("flights").for_group("audit").retry
    now = data.time()[0] * 1000
    data.zadd(retry, {f"m:{entry}": now + 86_400_000})
    until("no worker, though an entry is pending", lambda: workers.replicas() == 0)
    data.zadd(retry, {f"m:{entry}": now + int((DEFAULT_STARTUP_SECONDS + 8) * 1000)})
    until("a worker again", lambda: workers.replicas() == 1)
    assert data.time()[0] * 1000 < now + (DEFAULT_STARTUP_SECONDS + 8) * 1000, (
        "not before it was due"
    )
    workers.went_through(0, 1, 0, 1)


def test_a_group_ahead_of_its_stream_is_set_back_and_gets_workers(
    workers: Workers, data: redis.Redis
) -> None:
    workers.spec(groups=AUTOMATIC)
    data.xgroup_setid("flights", "audit", "9999999999999-0")
    data.xadd("flights", {"n": 1})
    until("a worker", lambda: workers.replicas() == 1)
    (group,) = data.xinfo_groups("flights")
    assert group["last-delivered-id"] < "9999999999999-0"


def test_a_person_keeps_his_number_in_external(workers: Workers) -> None:
    workers.spec(groups=EXTERNAL)
    workers.scale(4)
    # Each of these makes the operator apply the Deployment again.
    workers.spec(groups=[{**EXTERNAL[0], "worker": {"handler": "other:app"}}])
    workers.spec(groups=[{**EXTERNAL[0], "worker": {"handler": "third:app"}}])
    workers.went_through(1, 4)
    assert "headrace" not in workers.owners()


@pytest.mark.parametrize("number", [0, 3])
def test_from_fixed_to_external_the_number_stays_and_changes_owner(
    workers: Workers, number: int
) -> None:
    workers.spec(groups=fixed(number))
    workers.spec(groups=EXTERNAL)
    until("headrace has let go", lambda: workers.owners() == {"headrace-handover"})
    workers.spec(groups=[{**EXTERNAL[0], "worker": {"handler": "other:app"}}])
    workers.scale(6)
    workers.spec(groups=[{**EXTERNAL[0], "worker": {"handler": "third:app"}}])
    workers.went_through(*dict.fromkeys((0, number)), 6)


@pytest.mark.timeout(120)
def test_an_hpa_keeps_its_number_in_external(workers: Workers) -> None:
    """Kubernetes's own controller, below whose minReplicas a Deployment needs no metrics."""
    workers.spec(groups=EXTERNAL)
    workers.autoscale(3, 5)
    until("the HPA has acted", lambda: workers.replicas() == 3, within=60)
    for handler in ("other:app", "third:app"):
        workers.spec(groups=[{**EXTERNAL[0], "worker": {"handler": handler}}])
    workers.went_through(1, 3)
    assert "headrace" not in workers.owners()


def test_from_external_to_fixed_the_number_is_taken_back(workers: Workers) -> None:
    workers.spec(groups=EXTERNAL)
    workers.scale(4)
    workers.spec(groups=fixed(2))
    until("taken back", lambda: workers.replicas() == 2)
    workers.went_through(1, 4, 2)
    assert workers.owners() == {"headrace"}


def test_suspend_and_resume_in_external_give_a_person_his_number_back(workers: Workers) -> None:
    workers.spec(groups=EXTERNAL)
    workers.scale(4)
    workers.spec(groups=EXTERNAL, suspend=True)
    until("suspended", lambda: workers.replicas() == 0)
    workers.spec(groups=EXTERNAL, suspend=False)
    until("resumed", lambda: workers.replicas() == 4)
    until("handed over", lambda: workers.owners() == {"headrace-handover"})
    workers.scale(5)
    workers.spec(groups=[{**EXTERNAL[0], "worker": {"handler": "other:app"}}])
    workers.went_through(1, 4, 0, 4, 5)


def test_resuming_in_external_from_0_starts_one_worker(workers: Workers) -> None:
    workers.spec(groups=EXTERNAL)
    workers.scale(0)
    workers.spec(groups=EXTERNAL, suspend=True)
    workers.spec(groups=EXTERNAL, suspend=False)
    until("one worker, or an HPA would sleep for ever", lambda: workers.replicas() == 1)
    workers.went_through(1, 0, 1)


def test_a_person_who_scales_a_fixed_group_is_overruled(workers: Workers) -> None:
    workers.spec(groups=fixed(2))
    workers.scale(7)
    until("put right", lambda: workers.replicas() == 2)


def test_created_at_zero_it_stays_there_through_new_templates(workers: Workers) -> None:
    for image in ("acme:1", "acme:2", "acme:3"):
        audit = group("audit")
        audit["worker"]["image"] = image
        workers.spec(groups=[audit])
    workers.went_through(0)
