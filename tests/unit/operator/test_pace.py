"""How often a Redis is read: each second, unless that would keep it busy."""

import pytest

from headrace_operator.backlog.pace import LONGEST_RETRY_SECONDS, ROUNDS, SLOWEST_SECONDS, pace


def between(low: float, high: float) -> object:
    return pytest.approx((low + high) / 2, abs=(high - low) / 2)


@pytest.mark.parametrize(
    ("took", "low", "high"),
    [
        (0.0, 0.95, 1.05),
        (0.1, 0.95, 1.05),  # a tenth of the interval is not too much
        (0.2, 1.9, 2.1),
        (1.5, 14.25, 15.75),
        (60.0, SLOWEST_SECONDS * 0.95, SLOWEST_SECONDS * 1.05),
    ],
)
def test_a_round_takes_at_most_a_tenth_of_its_interval(
    took: float, low: float, high: float
) -> None:
    assert pace(1.0, [took] * ROUNDS, failures=0) == between(low, high)


@pytest.mark.parametrize("stalled", [0.5, 3.0, 4.9])
def test_one_round_that_was_held_up_delays_nothing(stalled: float) -> None:
    assert pace(1.0, [0.01, stalled, 0.01], failures=0) == between(0.95, 1.05)
    assert pace(1.0, [stalled], failures=0) == between(0.95, 1.05), "also the first"
    assert pace(1.0, [stalled, 0.01], failures=0) == between(0.95, 1.05)


@pytest.mark.parametrize(
    ("failures", "low", "high"),
    [(1, 1.0, 2.0), (2, 2.0, 4.0), (30, LONGEST_RETRY_SECONDS / 2, LONGEST_RETRY_SECONDS)],
)
def test_a_redis_that_does_not_answer_is_asked_less_often_for_a_while_and_never_in_step(
    failures: int, low: float, high: float
) -> None:
    assert pace(1.0, [5.0], failures) == between(low, high)
    assert len({pace(1.0, [5.0], failures) for _ in range(10)}) > 1
