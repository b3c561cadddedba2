"""What every group's backlog and workers are now, for Prometheus.

Nothing is kept here: at each scrape the poller's newest readings and what the last plan saw are
read. So a pipeline that goes takes its series along, and what is not known has no sample: never 0.
The text is written directly, as prometheus-client would hold the loop for a second with a
thousand pipelines; no value needs escaping, as names in Kubernetes hold neither `"` nor `\\`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from headrace.streams.backlog import GroupBacklog, Quality
from headrace_operator.backlog.wakeups import Reading
from headrace_operator.kube.cache import Key, split
from headrace_operator.plan import Workers
from headrace_operator.reconcile.memory import Memory, Planned
from headrace_operator.scaling.decide import ScalingHistory
from headrace_operator.scaling.throughput import Rates


class Family(NamedTuple):
    kind: str
    words: str


FAMILIES = {
    "headrace_stream_length": Family("gauge", "Entries in the stream."),
    "headrace_stream_entries_added_total": Family("counter", "Entries ever added to the stream."),
    "headrace_stream_dead_letters": Family("gauge", "Dead letters of the stream."),
    "headrace_stream_memory_bytes": Family(
        "gauge", "Memory of the stream, by the server's own estimate."
    ),
    "headrace_stream_memory_full_seconds": Family(
        "gauge", "Until the memory of its Redis is full, at the rate of the last hour."
    ),
    "headrace_stream_group_lag": Family("gauge", "Entries not delivered yet."),
    "headrace_stream_group_lag_quality": Family("gauge", "1 for the current quality of the lag."),
    "headrace_stream_group_messages_pending": Family(
        "gauge", "Entries delivered and not settled, the parked ones included."
    ),
    "headrace_stream_group_messages_parked": Family(
        "gauge", "Pending entries that are parked for another try, due or not."
    ),
    "headrace_stream_group_ready": Family(
        "gauge", "The ready backlog: lag + pending - parked and not yet due."
    ),
    "headrace_stream_group_oldest_age_seconds": Family(
        "gauge", "Age of the oldest entry that is not settled."
    ),
    "headrace_scaling_arrivals_per_second": Family(
        "gauge", "Entries that arrive, as the scaler measured them."
    ),
    "headrace_scaling_worker_entries_per_second": Family(
        "gauge", "Entries that one busy worker settles, as the scaler measured them."
    ),
    "headrace_scaling_wanted_replicas": Family("gauge", "Workers that there are to be."),
    "headrace_scaling_replicas": Family("gauge", "Workers that run or start."),
    "headrace_scaling_ready_replicas": Family("gauge", "Workers that are ready."),
    "headrace_scaling_max_replicas": Family("gauge", "maxReplicas, in mode Automatic."),
    "headrace_scaling_cause": Family("gauge", "1 for the rule that sets the number of workers."),
    "headrace_scaling_decisions_total": Family(
        "counter", "Changes of the number of workers that were carried out."
    ),
}


class Fleet:
    """`text()` is the exposition; a standby's is empty."""

    def __init__(
        self,
        memories: Iterable[tuple[Key, Memory]],
        reading: Callable[[Key], Reading | None],
    ) -> None:
        self._memories = memories
        self._reading = reading

    def text(self) -> str:
        samples = _Samples()
        for key, memory in self._memories:
            if memory.planned.workers:
                reading = self._reading(key)
                samples.add(key, memory.planned, reading)
        return samples.text()


class _Samples:
    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {name: [] for name in FAMILIES}

    def text(self) -> str:
        parts: list[str] = []
        for name, lines in self._lines.items():
            if lines:
                kind, words = FAMILIES[name]
                parts += (f"# HELP {name} {words}\n# TYPE {name} {kind}\n", *lines)
        return "".join(parts)

    def add(self, key: Key, planned: Planned, reading: Reading | None) -> None:
        backlog = reading.backlog if reading is not None else None
        namespace, name = split(key)
        pipeline = f'namespace="{namespace}",pipeline="{name}"'
        if backlog is not None and backlog.exists:
            self._set("headrace_stream_length", pipeline, backlog.length)
            if backlog.entries_added is not None:
                self._set("headrace_stream_entries_added_total", pipeline, backlog.entries_added)
            self._set("headrace_stream_dead_letters", pipeline, backlog.dead_letters)
        if reading is not None:
            self._set("headrace_stream_memory_bytes", pipeline, reading.stream_bytes)
            self._set("headrace_stream_memory_full_seconds", pipeline, reading.memory_full_in)
        for workers in planned.workers:
            labels = f'{pipeline},group="{workers.group}"'
            self._workers(labels, workers)
            group_backlog = (
                backlog.groups.get(workers.consumer_group) if backlog is not None else None
            )
            history = planned.history.get(workers.group, ScalingHistory())
            self._backlog(labels, group_backlog, history.rates)
        for (group, cause, direction), times in planned.rescales.items():
            labels = f'{pipeline},group="{group}",cause="{cause}",direction="{direction}"'
            self._set("headrace_scaling_decisions_total", labels, times)

    def _workers(self, labels: str, workers: Workers) -> None:
        self._set("headrace_scaling_wanted_replicas", labels, workers.wanted)
        self._set("headrace_scaling_replicas", labels, workers.running)
        self._set("headrace_scaling_ready_replicas", labels, workers.ready)
        self._set("headrace_scaling_max_replicas", labels, workers.max_replicas)
        if workers.cause is not None:
            self._set("headrace_scaling_cause", f'{labels},cause="{workers.cause}"', 1)

    def _backlog(self, labels: str, group: GroupBacklog | None, rates: Rates) -> None:
        quality = Quality.UNKNOWN if group is None or not group.exists else group.quality
        self._set("headrace_stream_group_lag_quality", f'{labels},quality="{quality}"', 1)
        if group is None or not group.exists:
            return
        self._set("headrace_stream_group_lag", labels, group.lag)
        self._set("headrace_stream_group_messages_pending", labels, group.pending)
        self._set("headrace_stream_group_messages_parked", labels, group.parked)
        self._set("headrace_stream_group_ready", labels, group.ready)
        self._set("headrace_stream_group_oldest_age_seconds", labels, group.oldest_age_s)
        if quality is Quality.EXACT:  # else no rates are measured, and the last ones are history
            self._set("headrace_scaling_arrivals_per_second", labels, rates.arrival)
            self._set("headrace_scaling_worker_entries_per_second", labels, rates.per_worker)

    def _set(self, name: str, labels: str, value: float | None) -> None:
        if value is not None:
            self._lines[name].append(f"{name}{{{labels}}} {value}\n")
