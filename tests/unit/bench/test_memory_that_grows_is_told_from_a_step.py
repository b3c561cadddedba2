"""The bench's verdict on memory over many events."""

from bench.worker.figures import slope_of


def test_one_step_is_no_growth() -> None:
    slope, error = slope_of([52_560.0] * 10 + [52_800.0] * 20)
    assert slope < 2 * error


def test_a_byte_for_each_event_is_growth() -> None:
    slope, error = slope_of([50_000.0 + 244 * n + 40 * (n % 3) for n in range(32)])
    assert slope > 2 * error
