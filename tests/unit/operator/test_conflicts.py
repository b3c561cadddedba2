"""When does putting right become fighting?"""

from __future__ import annotations

from headrace_operator.kube.apply_diff import Difference
from headrace_operator.metrics import CONFLICTS
from headrace_operator.plan.observation import ChildRef
from headrace_operator.reconcile.conflicts import MAX_LABELS, Conflicts

CHILD = ChildRef("Deployment", "d")
LOST = [Difference(("f:spec", "f:replicas"), taken_by="kubectl")]
OWN = [Difference(("f:spec", "f:paused"))]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def lost(conflicts: Conflicts) -> bool:
    """The field is found taken; True: it was put right."""
    allowed = conflicts.allow(CHILD, LOST)
    if allowed:
        conflicts.count(CHILD, LOST)
    return allowed


def test_a_look_that_could_not_be_carried_out_counts_nothing() -> None:
    conflicts = Conflicts(Clock())
    for _ in range(50):
        assert conflicts.allow(CHILD, LOST)
    assert conflicts.standing() == ()


def test_the_fifth_loss_in_ten_minutes_waits_ten_minutes() -> None:
    clock = Clock()
    conflicts = Conflicts(clock)
    for _ in range(4):
        assert lost(conflicts)
        clock.now += 30
    (standing,) = conflicts.standing()
    assert (standing.field, standing.manager) == ("spec.replicas", "kubectl")
    assert not lost(conflicts)
    clock.now += 600
    assert lost(conflicts)
    assert not lost(conflicts)


def test_a_rare_hand_edit_is_put_right_for_ever() -> None:
    clock = Clock()
    conflicts = Conflicts(clock)
    for _ in range(50):
        assert lost(conflicts)
        clock.now += 201
    assert conflicts.standing() == ()


def test_a_change_of_our_own_goes_through_a_conflict() -> None:
    conflicts = Conflicts(Clock())
    for _ in range(4):
        lost(conflicts)
    assert not lost(conflicts)
    assert conflicts.allow(CHILD, LOST + OWN)


def test_a_conflict_is_over_when_a_try_lasted() -> None:
    clock = Clock()
    conflicts = Conflicts(clock)
    for _ in range(4):
        lost(conflicts)
    clock.now += 1201
    assert conflicts.standing() == ()
    assert lost(conflicts)


def test_other_children_are_not_held_up() -> None:
    conflicts = Conflicts(Clock())
    for _ in range(5):
        lost(conflicts)
    assert conflicts.allow(ChildRef("Deployment", "other"), LOST)


def test_losses_that_led_to_no_fight_are_forgotten() -> None:
    clock = Clock()
    conflicts = Conflicts(clock)
    assert lost(conflicts)
    clock.now += 601
    assert conflicts.standing() == ()
    assert not conflicts._losses


def test_a_metric_has_room_for_twenty_managers() -> None:
    conflicts = Conflicts(Clock())
    for number in range(100):
        taken = Difference(("f:spec", "f:replicas"), taken_by=f"client-{number}")
        conflicts.count(CHILD, [taken])
    labels = {
        sample.labels["manager"] for metric in CONFLICTS.collect() for sample in metric.samples
    }
    assert len(labels) <= MAX_LABELS + 1
    assert "others" in labels
