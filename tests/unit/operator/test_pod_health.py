"""Which pods go first, and what pods say about their start."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.observations import (
    CLOCK,
    NOW,
    SETTINGS,
    backlog,
    group_backlog,
    pipeline,
    pod,
    settled,
    stamp,
)

from headrace_operator.plan import ScaleIn, plan, victims
from headrace_operator.plan.pod_health import DELETION_COST, startup_seconds
from headrace_operator.scaling.decide import DEFAULT_STARTUP_SECONDS

SCALE_IN = ScaleIn("delays", "delays", "flights-delays", ("a", "b", "c-1"), surplus=1)


def test_the_pods_that_hold_least_go_first() -> None:
    holdings = {"a-x1": 3, "b-x1": 1, "b-x2": 1, "c-1-x1": 1, "headrace:parked": 9}
    assert victims(SCALE_IN, holdings) == {"c-1": -100}
    assert victims(replace(SCALE_IN, surplus=2), holdings) == {"c-1": -100, "b": -100}


def test_without_knowing_what_they_hold_some_go_all_the_same() -> None:
    assert victims(SCALE_IN, {}) == {"a": -100}


def test_a_mark_of_an_earlier_scale_in_is_kept_or_taken_back_but_not_written_twice() -> None:
    marked = replace(SCALE_IN, marked=frozenset({"a", "b"}))
    assert victims(marked, {"b-x": 5, "c-1-x": 5}) == {"b": 0}


def scaling_in_to(lag: int, *names: str) -> tuple[ScaleIn, ...]:
    """Five workers run; a minute later this backlog is left."""
    seen = settled(pipeline(), backlog=backlog(delays=group_backlog(450)))
    running = tuple(pod(name) for name in names)
    later = replace(
        seen, clock=CLOCK + 61, backlog=backlog(delays=group_backlog(lag)), pods=running
    )
    return plan(later, SETTINGS).scale_ins


def test_costs_are_written_only_in_the_step_that_scales_in() -> None:
    names = ("a", "b", "c", "d", "e")
    assert scaling_in_to(450, *names) == ()
    (found,) = scaling_in_to(150, *names)
    assert (found.pods, found.surplus) == (names, 3)


def test_of_those_that_hold_the_same_the_ones_that_are_not_ready_go() -> None:
    """Kubernetes takes them first whatever their cost: a mark on another would stay behind."""
    seen = settled(pipeline(), backlog=backlog(delays=group_backlog(450)))
    running = (pod("a"), pod("b"), pod("c", ready=False), pod("d"), pod("e", ready=False))
    later = replace(seen, clock=CLOCK + 61, backlog=backlog(delays=group_backlog(250)))
    (found,) = plan(replace(later, pods=running), SETTINGS).scale_ins
    assert victims(found, {"a-x": 1, "b-x": 1, "d-x": 1}) == {"c": -100, "e": -100}
    assert victims(found, {}) == {"c": -100, "e": -100}


def test_where_all_go_nobody_has_to_choose() -> None:
    assert scaling_in_to(0, "a", "b", "c", "d", "e") == ()


def test_pods_that_are_leaving_already_are_no_victims() -> None:
    seen = settled(pipeline(), backlog=backlog(delays=group_backlog(450)))
    going = pod("a")
    going["metadata"]["deletionTimestamp"] = stamp(NOW)
    marked = pod("b")
    marked["metadata"]["annotations"] = {DELETION_COST: "-100"}
    later = replace(
        seen,
        clock=CLOCK + 61,
        backlog=backlog(delays=group_backlog(150)),
        pods=(going, marked, pod("c"), pod("d")),
    )
    (found,) = plan(later, SETTINGS).scale_ins
    assert (found.pods, found.surplus) == (("b", "c", "d"), 1)
    assert found.marked == {"b"}


def unready_for_a_moment(worker: dict[str, Any]) -> dict[str, Any]:
    """Redis was away for some seconds, five minutes ago."""
    worker["status"]["conditions"][0]["lastTransitionTime"] = stamp(NOW - 300)
    return worker


@pytest.mark.parametrize(
    ("pods", "seconds"),
    [
        ((), DEFAULT_STARTUP_SECONDS),
        ((pod("a"), pod("b")), 4.0),
        ((pod("a", ready=False),), DEFAULT_STARTUP_SECONDS),
        ((pod("a", restartCount=1),), DEFAULT_STARTUP_SECONDS),
        ((unready_for_a_moment(pod("a", age=36_000)), pod("b")), 62.0),
    ],
)
def test_start_up_is_measured_from_pods_that_started_well(pods: tuple, seconds: float) -> None:  # type: ignore[type-arg]
    assert startup_seconds(pods) == seconds
