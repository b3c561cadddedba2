"""Rates from what the poller sees: what is measured, what is not, and how long it is believed."""

import pytest

from headrace_operator.scaling.throughput import RATE_TTL_SECONDS, Rates, Sample


def course(*samples: tuple[float, int, int, int, int]) -> Rates:
    """(clock, added, ready, lag, workers) one after the other."""
    rates = Rates()
    for sample in samples:
        rates = rates.observe(Sample(*sample))
    return rates


def test_a_rate_needs_two_looks() -> None:
    assert course((0, 100, 50, 50, 1)).arrival is None
    assert course((0, 100, 50, 50, 1), (10, 300, 50, 50, 1)).arrival == pytest.approx(20.0)


def test_looks_close_to_each_other_are_one() -> None:
    assert len(course((0, 0, 0, 0, 1), (1, 9, 0, 0, 1), (2, 9, 0, 0, 1)).samples) == 1


def test_busy_workers_show_their_rate() -> None:
    # 10 s, 2 workers: 200 came, the backlog fell by 400
    rates = course((0, 0, 2_000, 1_900, 2), (10, 200, 1_600, 1_500, 2))
    assert rates.per_worker == pytest.approx(30.0)


@pytest.mark.parametrize(
    "samples",
    [
        ((0, 0, 30, 2, 2), (10, 200, 30, 2, 2)),  # hardly anything waited
        ((0, 0, 2_000, 1_900, 2), (10, 200, 1_600, 1_500, 4)),  # workers were added meanwhile
        ((0, 0, 2_000, 1_900, 0), (10, 200, 1_600, 1_500, 0)),  # nobody worked
        ((0, 0, 100, 100, 2), (10, 200, 2_000, 2_000, 2)),  # more waits than came
    ],
    ids=["idle", "changed", "none", "impossible"],
)
def test_what_does_not_show_a_workers_rate_is_no_measurement(
    samples: tuple[tuple[float, int, int, int, int], ...],
) -> None:
    assert course(*samples).per_worker is None


def test_workers_with_time_to_spare_show_at_least_what_they_can() -> None:
    busy = course((0, 0, 2_000, 1_900, 2), (10, 200, 1_600, 1_500, 2))  # 30 each
    quiet = busy.observe(Sample(20, 1_000, 1_600, 0, 2))  # 40 each, nothing waiting
    assert quiet.per_worker == pytest.approx(40.0)
    slow = busy.observe(Sample(20, 300, 1_600, 0, 2))
    assert slow.per_worker == busy.per_worker


def test_a_change_of_workers_begins_a_stretch_of_its_own() -> None:
    """Looks every 5 s would else never find the same workers at both ends of a short drain."""
    rates = course((0, 0, 900, 900, 0), (4, 360, 1_260, 1_260, 10), (9, 810, 710, 500, 10))
    assert rates.per_worker == pytest.approx(20.0)


def test_a_short_drain_is_a_first_estimate() -> None:
    # 900 waited when it began, and 1,000 were finished in 10 s by 10 workers
    rates = course((0, 0, 900, 900, 10), (10, 100, 0, 0, 10))
    assert rates.per_worker == pytest.approx(10.0)
    idle = course((0, 0, 100, 100, 10), (10, 900, 0, 0, 10))
    assert idle.per_worker is None


def test_a_reading_seen_twice_and_a_clock_put_back_measure_nothing() -> None:
    rates = course((100, 0, 2_000, 1_900, 2), (110, 200, 1_600, 1_500, 2))
    assert rates.observe(Sample(110, 200, 1_600, 1_500, 3)) == rates
    back = rates.observe(Sample(10, 300, 1_500, 1_400, 2))
    assert (back.arrival, back.per_worker) == (None, rates.per_worker)


def test_a_rise_of_arrivals_is_believed_sooner_than_a_fall() -> None:
    calm = [(float(t), t * 10, 0, 0, 1) for t in range(0, 60, 5)]
    rising = course(*calm, (60, 1_050, 0, 0, 1), (65, 1_550, 0, 0, 1))
    assert rising.arrival is not None
    assert rising.arrival > 40  # the mean of the whole window is 24
    falling = course(*[(t, a * 10, r, g, w) for t, a, r, g, w in calm], (60, 5_500, 0, 0, 1))
    assert falling.arrival == pytest.approx(100, rel=0.1)


def test_a_new_stream_starts_afresh() -> None:
    rates = course((0, 5_000, 2_000, 1_900, 2), (10, 5_200, 1_600, 1_500, 2), (20, 7, 7, 7, 2))
    assert rates == Rates((Sample(20, 7, 7, 7, 2),))


def test_a_rate_that_nothing_confirms_is_put_to_the_test_with_fewer_workers() -> None:
    rates = Rates(per_worker=20.0, measured_at=0.0)
    assert rates.workers_for(90, clock=RATE_TTL_SECONDS) == 5
    assert rates.workers_for(90, clock=RATE_TTL_SECONDS * 1.5) == 3
    assert Rates().workers_for(90, clock=0) is None
