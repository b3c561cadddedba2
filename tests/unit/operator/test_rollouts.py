"""Updates that come from the operator itself: a few at a time, and none after one that fails."""

from dataclasses import replace
from typing import Any

from tests.support.observations import SETTINGS, pipeline, settled

from headrace_operator.plan import PlanSettings, plan
from headrace_operator.plan.observation import ChildRef
from headrace_operator.reconcile.rollouts import Place, Rollouts, comes_from_the_operator


class Fleet:
    """Deployments by number, and who was woken."""

    def __init__(self, max_concurrent: int = 2, pause: float = 10.0) -> None:
        self.now = 0.0
        self.woken: list[str] = []
        self.rollouts = Rollouts(
            max_concurrent=max_concurrent,
            pause_seconds=pause,
            wake=self.woken.append,
            clock=lambda: self.now,
        )

    def begins(self, number: int) -> bool:
        return self.rollouts.may_begin(place(number))

    def ready(self, number: int, *, replicas: int = 1, failed: bool = False) -> None:
        updated = 0 if failed else replicas
        reason = "ProgressDeadlineExceeded" if failed else "NewReplicaSetAvailable"
        live: dict[str, Any] = {
            "metadata": {"generation": 2},
            "spec": {"replicas": replicas},
            "status": {
                "observedGeneration": 2,
                "replicas": replicas,
                "updatedReplicas": updated,
                "availableReplicas": replicas,
                "conditions": [{"type": "Progressing", "reason": reason}],
            },
        }
        self.rollouts.observe(place(number), live)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.rollouts.go_on()


def place(number: int) -> Place:
    return Place(f"n/{number}", "d")


def test_no_more_than_some_begin_and_the_next_comes_a_pause_after_one_is_ready() -> None:
    fleet = Fleet()
    assert [fleet.begins(n) for n in range(4)] == [True, True, False, False]
    fleet.ready(0)
    fleet.after(9)
    assert fleet.woken == []
    fleet.after(1)
    assert fleet.woken == ["n/2"]
    assert not fleet.begins(3), "it is not its turn"
    assert fleet.begins(2)


def test_one_that_does_not_become_ready_stops_the_fleet_until_it_does() -> None:
    fleet = Fleet()
    assert [fleet.begins(n) for n in range(3)] == [True, True, False]
    fleet.ready(0)
    fleet.ready(1, failed=True)
    fleet.after(60)
    assert not fleet.begins(2)
    fleet.ready(1)
    fleet.after(60)
    assert fleet.begins(2)


def test_where_no_worker_runs_nothing_is_waited_for() -> None:
    fleet = Fleet(max_concurrent=1)
    assert fleet.begins(0)
    fleet.ready(0, replicas=0)
    fleet.after(0)
    assert fleet.begins(1)


def test_none_begins_while_the_limit_is_zero() -> None:
    fleet = Fleet(max_concurrent=0)
    assert not fleet.begins(0)


def test_a_pipeline_that_goes_keeps_no_place() -> None:
    fleet = Fleet(max_concurrent=1)
    assert [fleet.begins(n) for n in range(3)] == [True, False, False]
    for gone in ("n/0", "n/1"):
        fleet.rollouts.forget(gone)
    assert fleet.begins(2)


def test_only_what_neither_spec_nor_references_changed_comes_from_the_operator() -> None:
    before = settled(pipeline({}))
    other = PlanSettings(worker_image="acme/worker:2")
    (name,) = (ref.name for ref in before.children if ref.kind == "Deployment")
    live = before.children[ChildRef("Deployment", name)]
    deployments = {
        settings: next(a for a in plan(before, settings).applies if a.ref.name == name).manifest
        for settings in (SETTINGS, other)
    }
    generation = before.pipeline.metadata.generation

    def comes(settings: PlanSettings, reported: int) -> bool:
        seen = replace(before, live_status={"observedGeneration": reported})
        return comes_from_the_operator(live, deployments[settings], seen)

    assert comes(other, generation)
    assert not comes(other, generation - 1), "a spec that no status tells of yet"
    assert not comes(SETTINGS, generation), "an edited field that is put right"
