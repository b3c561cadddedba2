"""Metrics: the same names everywhere, and no label value that comes from a stream."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from headrace.worker.metrics import HANDLING_SECONDS, Distribution, Metrics


@given(st.lists(st.floats(0, 10_000), max_size=200))
def test_buckets_are_cumulative_and_end_with_the_count(values: list[float]) -> None:
    distribution = Distribution(HANDLING_SECONDS)
    for value in values:
        distribution.add(value)
    pairs = distribution.buckets()
    counts = [count for _, count in pairs]
    assert counts == sorted(counts)
    assert pairs[-1] == ("+Inf", float(len(values)))
    for bound, count in pairs[:-1]:
        assert count == sum(value <= float(bound) for value in values)


def test_what_is_scraped_holds_pipeline_group_type_and_outcome() -> None:
    metrics = Metrics("flights", "delays")
    metrics.events["flight.landed/1", "done"] += 3
    metrics.handled("flight.landed/1", 0.002)
    metrics.delivered(b"1000-0", b"2000-0", 2)
    metrics.counts["dead_letters"] += 1
    registry = CollectorRegistry()
    registry.register(metrics)
    text = generate_latest(registry).decode()
    events = 'headrace_worker_events_total{group="delays",outcome="done",pipeline="flights"'
    assert f'{events},type="flight.landed/1"}} 3.0' in text
    assert 'headrace_worker_dead_letters_total{group="delays",pipeline="flights"} 1.0' in text
    for name in (
        "headrace_worker_handling_seconds_bucket",
        "headrace_worker_delivery_seconds_count",
        "headrace_worker_commit_entries_sum",
        "headrace_worker_leases_renewed_total",
        "headrace_worker_leases_lost_total",
        "headrace_worker_retries_total",
    ):
        assert name in text
