"""The worker's figures, with the same names for every pipeline.

The loop adds plain numbers, batched per flush where it matters; prometheus-client only reads them
when scraped. So an event pays no lock, and the labels stay few: `type` is one of the registered
handlers, `raw` or `unknown`, never text from a stream.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from time import time

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

HANDLING_SECONDS = (0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0)
DELIVERY_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
# Ids below this, of 2001, are no clock.
CLOCK_MS = 1_000_000_000_000
COMMIT_ENTRIES = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)


class Distribution:
    """A histogram's counts: `add` costs a bisect and two additions."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative (upper bound, count) pairs, as Prometheus wants them."""
        running, pairs = 0, []
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            running += count
            pairs.append(("+Inf" if bound == float("inf") else repr(bound), float(running)))
        return pairs


COUNTERS = {
    "retries": "Entries parked for another try",
    "dead_letters": "Entries written to the dead letters",
    "lost": "Entries whose result was discarded because another consumer had taken them",
    "trimmed": "Entries whose body was trimmed from the stream before they were settled",
    "duplicates": "Entries acknowledged unhandled because their event id was seen before",
    "claimed": "Entries taken from consumers that had stopped renewing them",
    "taken_due": "Parked entries taken for their next try",
    "handed_back": "Entries given back without an end",
    "leases_renewed": "Leases renewed for entries held",
    "leases_lost": "Leases that could not be renewed because another consumer had the entry",
    "timeouts": "Handlers that ran longer than their time-out",
    "commit_failures": "Settlements that Redis refused",
    "redis_errors": "Calls to Redis that failed",
    "reads": "Reads of the stream that answered",
    "commits": "Flushes written",
}


class Metrics(Collector):
    """All figures of one worker process; register it with a prometheus-client registry."""

    def __init__(self, pipeline: str = "", group: str = "") -> None:
        self._labels = {"pipeline": pipeline, "group": group}
        self.counts: Counter[str] = Counter()
        self.events: Counter[tuple[str, str]] = Counter()
        """(type label, outcome) -> events settled."""
        self.handling: dict[str, Distribution] = {}
        self.delivery = Distribution(DELIVERY_SECONDS)
        self.commit_entries = Distribution(COMMIT_ENTRIES)
        self.parked = 0
        """Entries of the group that wait for their next try, as the last look for due ones saw."""
        self.marks_evictable = False
        """Redis may evict deduplication marks, as asked at start."""
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def gauge(self, name: str, help_: str, read: Callable[[], float]) -> None:
        """A value asked for at each scrape."""
        self.gauges[name] = (help_, read)

    def handled(self, label: str, seconds: float, times: int = 1) -> None:
        distribution = self.handling.get(label)
        if distribution is None:
            distribution = self.handling[label] = Distribution(HANDLING_SECONDS)
        distribution.add(seconds, times)

    def delivered(self, first: bytes, last: bytes, times: int) -> None:
        """Entries delivered together, in order: all get the mean of the first and last age. Ids
        that count (1-0, 2-0) instead of telling the time have none."""
        oldest = int(first.partition(b"-")[0])
        if oldest >= CLOCK_MS:
            born = (oldest + int(last.partition(b"-")[0])) / 2000
            self.delivery.add(max(0.0, time() - born), times)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        names, values = list(self._labels), list(self._labels.values())
        events = CounterMetricFamily(
            "headrace_worker_events", "Events settled", labels=[*names, "type", "outcome"]
        )
        for (label, outcome), count in list(self.events.items()):
            events.add_metric([*values, label, outcome], count)
        yield events
        for name, help_ in COUNTERS.items():
            family = CounterMetricFamily(f"headrace_worker_{name}", help_, labels=names)
            family.add_metric(values, self.counts[name])
            yield family
        handling = HistogramMetricFamily(
            "headrace_worker_handling_seconds", "Time in handlers", labels=[*names, "type"]
        )
        for label, distribution in list(self.handling.items()):
            handling.add_metric([*values, label], distribution.buckets(), distribution.total)
        yield handling
        for name, help_, distribution in (
            ("delivery_seconds", "From the entry's id to its delivery", self.delivery),
            ("commit_entries", "Entries settled per flush", self.commit_entries),
        ):
            histogram = HistogramMetricFamily(f"headrace_worker_{name}", help_, labels=names)
            histogram.add_metric(values, distribution.buckets(), distribution.total)
            yield histogram
        for name, (help_, read) in self.gauges.items():
            gauge = GaugeMetricFamily(f"headrace_worker_{name}", help_, labels=names)
            gauge.add_metric(values, read())
            yield gauge
