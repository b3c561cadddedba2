"""The models that Headrace is compared with do what their programs do."""

from itertools import pairwise

from bench.scaling.contenders import Headrace
from bench.scaling.keda import Keda
from bench.scaling.numaflow import Numaflow
from bench.scaling.traces import Trace
from bench.scaling.world import Run, Scaler, simulate


def numbers(run: Run) -> list[tuple[int, int]]:
    """(second, replicas) at each change."""
    changes, last = [], 0
    for second, replicas in enumerate(run.replicas):
        if replicas != last:
            changes.append((second, replicas))
            last = replicas
    return changes


def burst(scaler: Scaler, at: int = 45, entries: int = 5_000) -> Run:
    return simulate(Trace("burst", lambda s: entries if s == at else 0, seconds=1_500), scaler)


def test_keda_goes_1_4_8_10_as_measured_and_back_to_0_after_its_windows() -> None:
    run = burst(Keda(100, 10, phase=3))
    moves = numbers(run)
    assert moves[0] == (57, 1), "at the poll after the burst"
    assert [n for _, n in moves[1:4]] == [4, 8, 10], "at the next three syncs"
    assert moves[3][0] - moves[0][0] == 42, "measured: 30 to 45 s"
    drained = run.backlog.index(0, 60)
    assert moves[4][0] - drained > 280, "the highest recommendation of 300 s counts"
    assert (moves[-1][1], moves[-1][0] - drained > 300) == (0, True)


def test_the_hpa_holds_within_its_tolerance_and_keeps_the_highest_of_300_s() -> None:
    keda = Keda(100, 10)
    run = simulate(Trace("load", lambda s: 62.0 if s < 900 else 0.0, 900), keda)
    assert max(run.replicas) == 10
    first_down = next(s for s, n in numbers(run)[1:] if n < run.replicas[s - 1])
    last_high = max(s for s in range(first_down) if run.backlog[s] >= 900)
    assert first_down - last_high >= 285


def test_numaflow_moves_by_two_every_90_s_and_peeks_every_120_s() -> None:
    run = burst(Numaflow(5.0, 10), at=300, entries=20_000)
    moves = numbers(run)
    assert [m for m in moves if m[0] < 300] == [(0, 1), (90, 0), (210, 1)]
    up = [m for m in moves if m[0] > 300 and m[1] > 1]
    assert [n for _, n in up[:4]] == [3, 5, 7, 9]
    assert all(b[0] - a[0] >= 90 for a, b in pairwise(moves))


def test_headrace_is_at_its_number_a_second_after_the_poll() -> None:
    assert numbers(burst(Headrace()))[0] == (46, 10)
