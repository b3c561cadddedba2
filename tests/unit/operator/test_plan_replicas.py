"""Replicas never jump: the cases of the design, each step and a crash between any two."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.observations import (
    CLOCK,
    SETTINGS,
    applied,
    backlog,
    child,
    group_backlog,
    observe,
    pipeline,
    settled,
)

from headrace_operator.plan import Plan, Scale, plan
from headrace_operator.plan.observation import ChildRef, ClaimState, GroupClaim, Observation
from headrace_operator.plan.replicas import BEFORE_SUSPEND, HAND_OVER_MANAGER

G = "spec.groups.0"
NAME = "flights-delays"
REF = ChildRef("Deployment", NAME)
EXTERNAL = {f"{G}.scaling": {"mode": "External"}}
SUSPENDED = {"spec.suspend": True}


def fixed(replicas: int) -> dict[str, Any]:
    return {f"{G}.scaling": {"mode": "Fixed", "replicas": replicas}}


def replicas(made: Plan) -> int | None:
    """What the applied Deployment carries; None when the field is left out."""
    found = child(made, "Deployment", NAME)["spec"].get("replicas")
    return None if found is None else int(found)


def after(before: Observation, changes: dict[str, Any]) -> Observation:
    """The same world under a changed spec."""
    return replace(before, pipeline=pipeline(changes, generation=2))


def carried_out(before: Observation) -> Observation:
    made = plan(before, SETTINGS)
    return replace(before, children=applied(made, before), history=made.history)


def live_replicas(seen: Observation) -> int:
    return int(seen.children[REF]["spec"]["replicas"])


def scaled_by_hpa(seen: Observation, number: int) -> Observation:
    """Somebody updates /scale: the field is his alone, as the API server notes it."""
    changed = {**seen.children[REF]}
    changed["spec"] = {**changed["spec"], "replicas": number}
    changed["metadata"] = {
        **changed["metadata"],
        "managedFields": [
            {"manager": "headrace", "operation": "Apply", "fieldsV1": {"f:spec": {}}},
            {
                "manager": "kube-controller-manager",
                "operation": "Update",
                "subresource": "scale",
                "fieldsV1": {"f:spec": {"f:replicas": {}}},
            },
        ],
    }
    return replace(seen, children={**seen.children, REF: changed})


def test_created_at_0_it_stays_at_0() -> None:
    seen = settled(pipeline())
    assert live_replicas(seen) == 0
    assert replicas(plan(seen, SETTINGS)) == 0


def test_created_for_a_backlog_it_starts_at_the_number_needed() -> None:
    first = observe(pipeline(), backlog=backlog(delays=group_backlog(450)))
    assert replicas(plan(first, SETTINGS)) == 5


def test_automatic_and_fixed_always_carry_the_number() -> None:
    assert replicas(plan(observe(pipeline(fixed(3))), SETTINGS)) == 3
    assert replicas(plan(settled(pipeline(fixed(3))), SETTINGS)) == 3


def test_external_is_created_without_replicas() -> None:
    assert replicas(plan(observe(pipeline(EXTERNAL)), SETTINGS)) is None


def test_external_is_not_created_before_its_group_is_claimed() -> None:
    made = plan(observe(pipeline(EXTERNAL), claims={}), SETTINGS)
    assert REF not in {a.ref for a in made.applies}


def test_automatic_is_created_at_0_before_its_group_is_claimed() -> None:
    seen = observe(pipeline(), claims={}, backlog=backlog(delays=group_backlog(450)))
    assert replicas(plan(seen, SETTINGS)) == 0
    assert replicas(plan(observe(pipeline(fixed(3)), claims={}), SETTINGS)) == 0


@pytest.mark.parametrize("number", [0, 1, 4])
def test_entering_external_hands_the_live_number_over_before_it_is_left_out(number: int) -> None:
    entering = after(settled(pipeline(fixed(number))), EXTERNAL)
    first = plan(entering, SETTINGS)
    meta = entering.children[REF]["metadata"]
    scale = Scale(NAME, number, HAND_OVER_MANAGER, meta["uid"], meta["resourceVersion"])
    assert first.scales == (scale,)
    assert REF not in {a.ref for a in first.applies}, "its resourceVersion has just changed"
    second = plan(replace(entering, children=applied(first, entering)), SETTINGS)
    assert second.scales == ()
    assert replicas(second) is None


def test_without_managed_fields_the_number_is_handed_over_rather_than_lost() -> None:
    seen = settled(pipeline(fixed(4)))
    stripped = {**seen.children[REF]}
    stripped["metadata"] = {k: v for k, v in stripped["metadata"].items() if k != "managedFields"}
    seen = replace(after(seen, EXTERNAL), children={**seen.children, REF: stripped})
    assert [s.replicas for s in plan(seen, SETTINGS).scales] == [4]


def test_external_leaves_the_number_of_an_hpa_alone() -> None:
    seen = scaled_by_hpa(settled(pipeline(EXTERNAL)), 7)
    made = plan(seen, SETTINGS)
    assert made.scales == ()
    assert replicas(made) is None


def test_leaving_external_takes_the_number_back() -> None:
    seen = scaled_by_hpa(settled(pipeline(EXTERNAL)), 7)
    assert replicas(plan(after(seen, fixed(2)), SETTINGS)) == 2


@pytest.mark.parametrize("mode", [fixed(4), EXTERNAL], ids=["Fixed", "External"])
def test_suspend_writes_0_in_every_mode_and_remembers(mode: dict[str, Any]) -> None:
    seen = settled(pipeline(mode))
    if mode is EXTERNAL:
        seen = scaled_by_hpa(seen, 4)
    made = plan(after(seen, mode | SUSPENDED), SETTINGS)
    assert replicas(made) == 0
    deployment = child(made, "Deployment", NAME)
    assert deployment["metadata"]["annotations"][BEFORE_SUSPEND] == "4"


def test_while_suspended_the_remembered_number_stays() -> None:
    seen = carried_out(after(settled(pipeline(fixed(4))), fixed(4) | SUSPENDED))
    again = child(plan(seen, SETTINGS), "Deployment", NAME)
    assert again["spec"]["replicas"] == 0
    assert again["metadata"]["annotations"][BEFORE_SUSPEND] == "4"


@pytest.mark.parametrize(("before", "resumed"), [(4, 4), (1, 1), (0, 1)])
def test_resuming_in_external_writes_the_number_back_and_at_least_1(
    before: int, resumed: int
) -> None:
    seen = scaled_by_hpa(settled(pipeline(EXTERNAL)), before)
    seen = carried_out(after(seen, EXTERNAL | SUSPENDED))
    back = after(seen, EXTERNAL)
    made = plan(back, SETTINGS)
    assert replicas(made) == resumed
    assert BEFORE_SUSPEND not in child(made, "Deployment", NAME)["metadata"]["annotations"]
    back = carried_out(back)
    assert [s.replicas for s in plan(back, SETTINGS).scales] == [resumed]
    back = carried_out(back)
    assert plan(back, SETTINGS).scales == ()
    assert replicas(plan(back, SETTINGS)) is None


def test_a_pipeline_created_suspended_resumes_in_external_with_1() -> None:
    seen = settled(pipeline(EXTERNAL | SUSPENDED))
    assert live_replicas(seen) == 0
    assert replicas(plan(after(seen, EXTERNAL), SETTINGS)) == 1


def test_resuming_in_automatic_starts_from_the_former_number() -> None:
    seen = settled(pipeline(), backlog=backlog(delays=group_backlog(450)))
    seen = carried_out(after(seen, SUSPENDED))
    assert live_replicas(seen) == 0
    back = replace(after(seen, {}), backlog=backlog(delays=group_backlog(0)))
    assert replicas(plan(back, SETTINGS)) == 5
    back = replace(carried_out(back), clock=CLOCK + 61)
    assert replicas(plan(back, SETTINGS)) == 0


def test_fewer_workers_wait_for_a_newer_reading() -> None:
    automatic = {f"{G}.scaling": {"scaleDownAfter": "0s"}}
    busy = settled(pipeline(automatic), backlog=backlog(delays=group_backlog(250)))
    drained = replace(busy, backlog=backlog(delays=group_backlog(0)), history={}, is_answer=False)
    made = plan(drained, SETTINGS)
    assert (replicas(made), made.asks_again, made.rescales) == (3, True, ())
    made = plan(replace(drained, is_answer=True), SETTINGS)
    assert (replicas(made), made.asks_again) == (0, False)


@pytest.mark.parametrize("changes", [fixed(1), SUSPENDED, {}], ids=["fixed", "suspended", "more"])
def test_what_no_reading_decides_waits_for_none(changes: dict[str, Any]) -> None:
    waiting = backlog(delays=group_backlog(850))
    busy = settled(pipeline(), backlog=backlog(delays=group_backlog(250)))
    made = plan(replace(after(busy, changes), backlog=waiting, is_answer=False), SETTINGS)
    assert replicas(made) != 3
    assert not made.asks_again


def test_a_group_claimed_by_another_pipeline_gets_no_workers() -> None:
    claims = {"delays": GroupClaim(ClaimState.ANOTHER, owner="other/one")}
    made = plan(observe(pipeline(fixed(3)), claims=claims), SETTINGS)
    assert replicas(made) == 0


def test_workers_that_run_go_on_while_redis_cannot_be_asked() -> None:
    seen = settled(pipeline(), backlog=backlog(delays=group_backlog(450)))
    dark = replace(seen, backlog=None, redis_error="connection refused", claims={}, history={})
    assert replicas(plan(dark, SETTINGS)) == 5


MODES: list[dict[str, Any]] = [{}, fixed(3), EXTERNAL]


@pytest.mark.parametrize("ending", MODES)
@pytest.mark.parametrize("beginning", MODES)
@pytest.mark.parametrize("suspended_between", [False, True])
def test_no_change_of_mode_or_suspend_ever_jumps_to_1(
    beginning: dict[str, Any], ending: dict[str, Any], suspended_between: bool
) -> None:
    """The API server resets replicas to 1 as soon as its last owner leaves the field out."""
    seen = settled(pipeline(beginning), backlog=backlog(delays=group_backlog(450)))
    if beginning is EXTERNAL:
        seen = scaled_by_hpa(seen, 4)
    route = [beginning | SUSPENDED, ending] if suspended_between else [ending]
    for spec in route:
        seen = after(seen, spec)
        for _ in range(4):  # each look of the way; a crash between two repeats the second
            made = plan(seen, SETTINGS)
            allowed = {0, 3, 4, 5}
            seen = replace(seen, children=applied(made, seen), history=made.history)
            assert live_replicas(seen) in allowed
    assert not plan(seen, SETTINGS).scales


@pytest.mark.parametrize("value", ["²", "", "-1", "1" * 5000, "many"])
def test_an_edited_memory_of_the_suspension_is_no_number(value: str) -> None:
    """Anybody can edit an annotation."""
    seen = settled(pipeline(fixed(3)))
    seen.children[REF]["metadata"]["annotations"][BEFORE_SUSPEND] = value
    assert replicas(plan(seen, SETTINGS)) == 3
