"""Metrics of every group: what is known now, nothing for what is not, gone with the pipeline."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from tests.support.observations import SETTINGS, backlog, group_backlog, pipeline, pod, settled

from headrace.streams.backlog import Quality, StreamBacklog
from headrace_operator import metrics
from headrace_operator.backlog.wakeups import Reading
from headrace_operator.kube.cache import Key
from headrace_operator.plan import plan
from headrace_operator.reconcile.memory import Memory
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.decide import ScalingHistory
from headrace_operator.scaling.throughput import Rates, Sample
from headrace_operator.telemetry.condition_metrics import NAME
from headrace_operator.telemetry.pipeline_metrics import FAMILIES, Fleet
from headrace_operator.telemetry.server_metrics import HELP

KEY = "default/flights"
LABELS = {"namespace": "default", "pipeline": "flights", "group": "delays"}
RATES = Rates((Sample(0, 0, 500, 500, 2), Sample(10, 300, 500, 500, 2)), per_worker=20.0)
WORK = backlog(delays=group_backlog(150, pending=30, parked=4, due_now=1, oldest_age_s=7.5))


class World:
    """Pipelines that were looked at, and what the poller read."""

    def __init__(self) -> None:
        self.memories: dict[Key, Memory] = {}
        self.read: dict[Key, StreamBacklog | None] = {}
        self.full_in: float | None = 7_200.0

    def look(self, scaling: dict[str, Any] | None = None, seen: StreamBacklog | None = WORK) -> Any:
        subject = pipeline({"spec.groups.0.scaling": scaling or {}})
        world = settled(subject, backlog=seen, pods=(pod("a"), pod("b", ready=False)))
        memory = self.memories.setdefault(KEY, Memory.empty("uid", lambda: 0.0))
        memory.planned.workers = plan(world, SETTINGS).workers
        memory.planned.history = {"delays": ScalingHistory(rates=RATES)}
        self.read[KEY] = seen
        return memory

    def scrape(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        def reading(key: Key) -> Reading:
            return Reading(
                self.read[key], None, 1.0, stream_bytes=4_000, memory_full_in=self.full_in
            )

        text = Fleet(self.memories.items(), reading).text()
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found


def test_a_group_shows_its_backlog_its_age_its_rates_and_its_workers() -> None:
    world = World()
    memory = world.look()
    memory.planned.rescales = Counter({("delays", Cause.BACKLOG, "up"): 3})
    seen = world.scrape()
    stream = {"namespace": "default", "pipeline": "flights"}
    assert seen["headrace_stream_length"] == [(stream, 1000)]
    assert seen["headrace_stream_entries_added_total"] == [(stream, 5000)]
    assert seen["headrace_stream_memory_bytes"] == [(stream, 4000)]
    assert seen["headrace_stream_memory_full_seconds"] == [(stream, 7200)]
    for name, value in {
        "headrace_stream_group_lag": 150,
        "headrace_stream_group_messages_pending": 30,
        "headrace_stream_group_messages_parked": 4,
        "headrace_stream_group_ready": 177,
        "headrace_stream_group_oldest_age_seconds": 7.5,
        "headrace_scaling_arrivals_per_second": 30,
        "headrace_scaling_worker_entries_per_second": 20,
        "headrace_scaling_wanted_replicas": 2,
        "headrace_scaling_replicas": 2,
        "headrace_scaling_ready_replicas": 1,
        "headrace_scaling_max_replicas": 10,
    }.items():
        assert seen[name] == [(LABELS, value)], name
    assert seen["headrace_stream_group_lag_quality"] == [({**LABELS, "quality": "exact"}, 1)]
    assert seen["headrace_scaling_cause"] == [({**LABELS, "cause": "Backlog"}, 1)]
    counted = {**LABELS, "cause": "Backlog", "direction": "up"}
    assert seen["headrace_scaling_decisions_total"] == [(counted, 3)]
    assert seen.keys() == FAMILIES.keys() | {"headrace_stream_dead_letters"}


def test_what_is_unknown_has_no_sample_instead_of_a_zero() -> None:
    unknown = backlog(delays=group_backlog(None, pending=3))
    missing = backlog(delays=group_backlog(None, exists=False))
    for seen in (None, unknown, missing):
        world = World()
        world.full_in = None
        world.look(seen=seen)
        found = world.scrape()
        assert "headrace_stream_memory_full_seconds" not in found
        assert found["headrace_stream_group_lag_quality"] == [({**LABELS, "quality": "unknown"}, 1)]
        for name in FAMILIES:
            if name.startswith("headrace_stream_group_") and name not in (
                "headrace_stream_group_lag_quality",
                *(["headrace_stream_group_messages_pending"] if seen is unknown else []),
                *(["headrace_stream_group_messages_parked"] if seen is unknown else []),
            ):
                assert name not in found, (seen, name)
        assert "headrace_scaling_arrivals_per_second" not in found


def test_rates_are_shown_only_where_they_are_measured_now() -> None:
    world = World()
    world.look(seen=backlog(delays=group_backlog(150, quality=Quality.UPPER)))
    found = world.scrape()
    assert found["headrace_stream_group_lag"] == [(LABELS, 150)]
    assert "headrace_scaling_worker_entries_per_second" not in found


def test_where_somebody_else_decides_there_is_neither_cause_nor_maximum() -> None:
    world = World()
    world.look({"mode": "External"})
    found = world.scrape()
    assert found["headrace_scaling_wanted_replicas"] == [(LABELS, 1)]
    assert "headrace_scaling_cause" not in found
    assert "headrace_scaling_max_replicas" not in found


def test_a_pipeline_that_is_gone_or_no_longer_decided_for_has_no_series() -> None:
    world = World()
    world.look().planned.workers = ()
    assert world.scrape() == {}
    world.memories.clear()
    assert world.scrape() == {}


def test_the_reference_page_tells_every_metric_and_every_cause() -> None:
    page = Path("docs/reference/operator-metrics.md").read_text(encoding="utf-8")
    own = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for collector in vars(metrics).values()
        if isinstance(collector, MetricWrapperBase)
        for family in collector.describe()
    }
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == own | FAMILIES.keys() | {NAME} | HELP.keys() | {
        cause.value for cause in Cause
    }
    for name, family in FAMILIES.items():
        assert f"| `{name}` | {family.kind} |" in page
        assert family.words in page


def test_the_scaling_page_says_of_every_cause_what_to_do() -> None:
    page = Path("docs/scaling.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row.partition("(")[0])}
    assert {cause.value for cause in Cause} <= told
