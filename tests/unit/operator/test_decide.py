"""How many workers a group gets: each rule of the design as a case, and what holds always."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_api.v1alpha1 import Scaling, ScalingMode
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.decide import (
    RATE_RECHECK_SECONDS,
    GroupState,
    ScalingHistory,
    decide,
)
from headrace_operator.scaling.throughput import Rates

NONE = ScalingHistory()
AUTO = Scaling(scale_down_after=timedelta(seconds=60))  # 0..10, 100 for each worker


def state(ready: int | None, current: int, clock: float = 1000.0, **facts: Any) -> GroupState:
    return GroupState(clock=clock, ready=ready, current=current, lag=ready, **facts)


def quiet_for(seconds: float, replicas: int, spec: Scaling = AUTO) -> ScalingHistory:
    """History of a group that wanted `replicas` until `seconds` ago."""
    return ScalingHistory(proposals=((1000.0 - seconds, replicas),))


@pytest.mark.parametrize(
    ("ready", "current", "wanted"),
    [
        (1, 0, 1),
        (100, 0, 1),
        (101, 0, 2),
        (950, 0, 10),
        (1_000_000, 0, 10),
        (250, 1, 3),
        (1_000, 9, 10),
    ],
)
def test_up_goes_straight_to_the_number_that_the_backlog_needs(
    ready: int, current: int, wanted: int
) -> None:
    assert decide(AUTO, state(ready, current), NONE).replicas == wanted


def test_the_reason_says_what_was_counted() -> None:
    assert decide(AUTO, state(250, 0), NONE).reason == "250 ready, 100 for each worker"
    assert "held at maxReplicas 10" in decide(AUTO, state(5_000, 0), NONE).reason
    upper = decide(AUTO, state(250, 0, exact=False), NONE)
    assert upper.reason == "at most 250 ready, 100 for each worker"


def test_down_waits_until_fewer_were_enough_for_the_whole_window() -> None:
    early = decide(AUTO, state(150, 8), quiet_for(59, 8))
    assert early.replicas == 8
    assert early.requeue_after == pytest.approx(1.0)
    assert decide(AUTO, state(150, 8), quiet_for(60, 8)).replicas == 2


def test_down_goes_to_the_highest_proposal_of_the_window() -> None:
    history = ScalingHistory(proposals=((930.0, 9), (960.0, 5), (990.0, 3)))
    decision = decide(AUTO, state(100, 9), history)
    assert decision.replicas == 5
    assert decision.requeue_after == pytest.approx(20.0)


def test_after_a_restart_of_the_operator_what_runs_is_kept_for_one_window() -> None:
    decision = decide(AUTO, state(0, 7), NONE)
    assert decision.replicas == 7
    later = decide(AUTO, state(0, 7, clock=1060.0), decision.history)
    assert later.replicas == 0


def test_zero_only_when_nothing_is_ready() -> None:
    assert decide(AUTO, state(0, 1), quiet_for(60, 1)).replicas == 0
    assert decide(AUTO, state(1, 1), quiet_for(60, 1)).replicas == 1


def test_a_worker_stays_for_a_retry_that_falls_due_soon() -> None:
    soon = state(0, 1, next_due=69.0, startup=10.0)
    assert decide(AUTO, soon, quiet_for(60, 1)).replicas == 1
    far = state(0, 1, next_due=71.0, startup=10.0)
    assert decide(AUTO, far, quiet_for(60, 1)).replicas == 0


def test_a_retry_in_a_day_holds_no_worker_and_wakes_one_in_time() -> None:
    asleep = decide(AUTO, state(0, 0, next_due=86_400.0, startup=12.0), NONE)
    assert asleep.replicas == 0
    assert asleep.requeue_after == pytest.approx(86_388.0)
    awake = decide(AUTO, state(0, 0, clock=87_388.0, next_due=12.0, startup=12.0), asleep.history)
    assert awake.replicas == 1


def test_an_unknown_backlog_holds_what_is_there() -> None:
    assert decide(AUTO, state(None, 6), quiet_for(600, 6)).replicas == 6
    assert decide(AUTO, state(None, 0), NONE).replicas == 0


def test_a_long_unknown_backlog_goes_to_fallback_replicas() -> None:
    spec = Scaling(fallback_replicas=2, scale_down_after=timedelta(seconds=60))
    first = decide(spec, state(None, 6), NONE)
    assert first.replicas == 6
    assert first.requeue_after == pytest.approx(60.0)
    halfway = decide(spec, state(None, 6, clock=1059.0), first.history)
    assert halfway.replicas == 6
    assert decide(spec, state(None, 6, clock=1060.0), halfway.history).replicas == 2
    assert decide(spec, state(None, 0, clock=1060.0), halfway.history).replicas == 2


def test_fallback_replicas_0_never_ends_the_last_worker() -> None:
    history = ScalingHistory(proposals=((0.0, 1),), unknown_since=0.0)
    assert decide(Scaling(fallback_replicas=0), state(None, 3), history).replicas == 1


def test_bounds_hold_at_once_even_under_load() -> None:
    lowered = Scaling(max_replicas=4)
    assert decide(lowered, state(5_000, 10), quiet_for(1, 10)).replicas == 4
    raised = Scaling(min_replicas=3)
    assert decide(raised, state(0, 0), NONE).replicas == 3
    fixed_by_bounds = Scaling(min_replicas=5, max_replicas=5)
    assert decide(fixed_by_bounds, state(100_000, 5), NONE).replicas == 5
    assert decide(fixed_by_bounds, state(0, 5), quiet_for(600, 5)).replicas == 5


def test_fixed_is_its_number_whatever_waits() -> None:
    spec = Scaling(mode=ScalingMode.FIXED, replicas=3)
    for ready in (None, 0, 100_000):
        assert decide(spec, state(ready, 9), NONE).replicas == 3


def test_an_image_that_crashes_is_not_multiplied() -> None:
    crashing = state(5_000, 1, crash_looping=1)
    decision = decide(AUTO, crashing, NONE)
    assert decision.replicas == 1
    assert "keep crashing" in decision.reason
    one_works = state(5_000, 2, crash_looping=1, workers=1)
    assert decide(AUTO, one_works, NONE).replicas == 10


def busy(per_worker: float, arrival: float) -> ScalingHistory:
    """History with measured rates, in entries per second."""
    from headrace_operator.scaling.throughput import Sample

    samples = (
        Sample(980.0, 0, 500, 500, 2),
        Sample(999.0, int(arrival * 19), 500, 500, 2),
    )
    return ScalingHistory(rates=Rates(samples, per_worker, measured_at=999.0))


def test_target_delay_takes_the_workers_that_the_measured_rates_ask_for() -> None:
    spec = Scaling(target_backlog=1_000_000, target_delay=timedelta(seconds=10), max_replicas=50)
    decision = decide(spec, state(2_000, 2), busy(per_worker=50, arrival=100))
    assert decision.replicas == 6  # (100/s arriving + 2,000 in 10 s) / 50
    assert "in 10 s" in decision.reason


def test_without_rates_target_delay_waits_and_target_backlog_decides() -> None:
    spec = Scaling(target_delay=timedelta(seconds=1))
    assert decide(spec, state(250, 0), NONE).replicas == 3


def test_workers_that_only_keep_up_are_not_taken_away() -> None:
    history = replace(busy(per_worker=50, arrival=100), proposals=((0.0, 4),))
    decision = decide(AUTO, state(20, 4), history)
    assert decision.replicas == 2  # 100/s need two workers, though 20 entries ask for one
    assert "keep up" in decision.reason
    nothing_waits = decide(AUTO, state(0, 4), history)
    assert nothing_waits.replicas == 2


def test_arrivals_that_outgrow_the_workers_add_some_before_a_backlog_does() -> None:
    history = busy(per_worker=50, arrival=240)
    assert decide(AUTO, state(20, 2), history).replicas == 5


def test_workers_kept_by_the_arrival_rate_alone_are_looked_at_until_the_arrivals_end() -> None:
    """No backlog changes any more when they end, so no news would bring the next look."""
    kept = decide(AUTO, state(0, 2), replace(busy(50, 100), proposals=((0.0, 2),)))
    assert (kept.replicas, kept.requeue_after) == (2, RATE_RECHECK_SECONDS)
    clock, history, replicas = 1000.0, kept.history, kept.replicas
    added = 100 * 19  # what `busy` has counted; nothing comes any more
    for _ in range(100):
        clock += RATE_RECHECK_SECONDS
        seen = state(0, replicas, clock=clock, workers=replicas, added=added)
        decision = decide(AUTO, seen, history)
        replicas, history = decision.replicas, decision.history
        if decision.requeue_after is None:
            break
    assert (replicas, decision.requeue_after) == (0, None)
    assert clock < 1000 + 60 + 60 + 3 * RATE_RECHECK_SECONDS, (
        "the rate's window, then scaleDownAfter"
    )


def test_where_nothing_waits_arrivals_add_no_worker() -> None:
    history = busy(per_worker=50, arrival=240)
    assert decide(AUTO, state(0, 1), history).replicas == 1


HELD_UP = Scaling(min_replicas=2)
FALLING_BACK = Scaling(fallback_replicas=2)
DARK_FOR_LONG = ScalingHistory(unknown_since=0.0)
BY_DELAY = Scaling(target_backlog=1_000_000, target_delay=timedelta(seconds=10))


@pytest.mark.parametrize(
    ("cause", "spec", "seen", "history"),
    [
        (Cause.FIXED, Scaling(mode=ScalingMode.FIXED, replicas=3), state(5, 0), NONE),
        (Cause.BACKLOG, AUTO, state(250, 0), NONE),
        (Cause.DELAY, BY_DELAY, state(2_000, 2), busy(per_worker=50, arrival=100)),
        (Cause.ARRIVALS, AUTO, state(20, 2), busy(per_worker=50, arrival=240)),
        (Cause.ARRIVALS, AUTO, state(0, 2), busy(per_worker=50, arrival=100)),
        (Cause.RETRY_DUE, AUTO, state(0, 0, next_due=5.0), NONE),
        (Cause.IDLE, AUTO, state(0, 0), NONE),
        (Cause.IDLE, AUTO, state(0, 0, next_due=86_400.0), NONE),
        (Cause.STABILIZING, AUTO, state(150, 8), quiet_for(10, 8)),
        (Cause.AT_MAXIMUM, AUTO, state(5_000, 0), NONE),
        (Cause.AT_MINIMUM, HELD_UP, state(0, 2), quiet_for(600, 2)),
        (Cause.BACKLOG_UNKNOWN, AUTO, state(None, 4), NONE),
        (Cause.BACKLOG_UNKNOWN, AUTO, state(None, 4), quiet_for(10, 8)),
        (Cause.BACKLOG_UNKNOWN, HELD_UP, state(None, 1), NONE),
        (Cause.FALLBACK, FALLING_BACK, state(None, 6), DARK_FOR_LONG),
        (Cause.WORKERS_CRASHING, AUTO, state(5_000, 1, crash_looping=1), NONE),
        (Cause.WORKERS_CRASHING, AUTO, state(5, 1, crash_looping=1), NONE),
        (Cause.WORKERS_CRASHING, HELD_UP, state(5, 2, crash_looping=2), NONE),
    ],
    ids=lambda value: value.value if isinstance(value, Cause) else "",
)
def test_each_number_has_one_cause(
    cause: Cause, spec: Scaling, seen: GroupState, history: ScalingHistory
) -> None:
    assert decide(spec, seen, history).cause is cause


specs = st.builds(
    lambda low, more, target, down, fallback: Scaling(
        min_replicas=low,
        max_replicas=max(low + more, 1),
        target_backlog=target,
        scale_down_after=timedelta(seconds=down),
        **({} if fallback is None else {"fallback_replicas": min(fallback, max(low + more, 1))}),
    ),
    st.integers(0, 5),
    st.integers(0, 15),
    st.integers(1, 1_000),
    st.integers(0, 300),
    st.none() | st.integers(0, 10),
)
moments = st.tuples(
    st.floats(0.1, 90.0),  # seconds since the look before
    st.none() | st.integers(0, 30_000),  # ready
    st.none() | st.floats(0.0, 3_600.0),  # next due
)


def walk(spec: Scaling, steps: list[Any]) -> list[tuple[float, GroupState, int]]:
    """(clock, look, replicas after it) of a group that follows each decision."""
    clock, current, history = 1_000.0, spec.min_replicas, NONE
    trail = []
    for pause, ready, due in steps:
        clock += pause
        seen = state(ready, current, clock=clock, next_due=due, workers=current)
        decision = decide(spec, seen, history)
        trail.append((clock, seen, decision.replicas))
        current, history = decision.replicas, decision.history
    return trail


@given(specs, st.lists(moments, min_size=1, max_size=60))
def test_never_to_zero_with_work_or_in_the_dark(spec: Scaling, steps: list[Any]) -> None:
    for _, seen, replicas in walk(spec, steps):
        if seen.ready:
            assert replicas >= 1
        if seen.ready is None and seen.current > 0:
            assert replicas >= 1


@given(specs, st.lists(moments, min_size=1, max_size=60))
def test_bounds_are_always_kept(spec: Scaling, steps: list[Any]) -> None:
    for _, _, replicas in walk(spec, steps):
        assert spec.min_replicas <= replicas <= spec.max_replicas


@given(specs, st.lists(moments, max_size=30), st.integers(0, 20_000), st.integers(0, 20_000))
def test_more_backlog_never_means_fewer_workers(
    spec: Scaling, before: list[Any], one: int, other: int
) -> None:
    clock, current, history = 1_000.0, spec.min_replicas, NONE
    for pause, ready, due in before:
        clock += pause
        decision = decide(spec, state(ready, current, clock=clock, next_due=due), history)
        current, history = decision.replicas, decision.history
    low, high = (
        decide(spec, state(ready, current, clock=clock + 1), history).replicas
        for ready in sorted((one, other))
    )
    assert low <= high


@given(specs, st.lists(moments, min_size=1, max_size=80))
def test_within_one_window_the_direction_turns_at_most_once(
    spec: Scaling, steps: list[Any]
) -> None:
    window = spec.scale_down_after.total_seconds()
    moves = [
        (clock, 1 if replicas > seen.current else -1)
        for clock, seen, replicas in walk(spec, steps)
        if replicas != seen.current
    ]
    for start, _ in moves:
        inside = [up for when, up in moves if start <= when < start + window]
        assert sum(a != b for a, b in itertools.pairwise(inside)) <= 1
    up_then_down = [
        (when, after) for (when, a), (after, b) in itertools.pairwise(moves) if (a, b) == (1, -1)
    ]
    for up, down in up_then_down:
        assert down - up >= window


@given(specs, st.lists(moments, min_size=1, max_size=60))
def test_up_is_never_delayed(spec: Scaling, steps: list[Any]) -> None:
    for _, seen, replicas in walk(spec, steps):
        if seen.ready is not None:
            need = -(-seen.ready // spec.target_backlog)
            assert replicas >= min(need, spec.max_replicas)
