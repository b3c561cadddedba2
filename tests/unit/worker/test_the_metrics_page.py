"""docs/reference/metrics.md names every metric of the worker, and none that does not exist."""

import re
from pathlib import Path

from prometheus_client.core import Metric

import headrace
from headrace.worker.config import WorkerSettings
from headrace.worker.metrics import Metrics
from headrace.worker.runtime import Runtime
from headrace_api.worker_config import WorkerConfig

PAGE = Path("docs/reference/metrics.md")
CONFIG = {
    "namespace": "airport",
    "pipeline": "flights",
    "group": "delays",
    "consumerGroup": "delays",
    "stream": "flights",
    "redis": {"endpoints": ["127.0.0.1:1"]},
    "deadLetter": {"stream": "dead", "maxLength": 1},
    "owner": {"key": "airport/flights", "uid": "uid"},
}
EVERYWHERE = {"pipeline", "group"}


def row(metric: Metric, labels: set[str]) -> tuple[str, str, str]:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    return f"`{name}`", metric.type, ", ".join(f"`{one}`" for one in sorted(labels - EVERYWHERE))


async def exposed() -> list[tuple[str, str, str]]:
    """(name, type, labels beside pipeline and group) of all that a worker exposes."""
    app, metrics = headrace.App(), Metrics("flights", "delays")
    app.raw(lambda fields: None)
    runtime = Runtime(WorkerSettings.of(WorkerConfig.model_validate(CONFIG)), app, metrics)
    metrics.events["raw", "done"] += 1
    rows = []
    for metric in metrics.collect():
        labels = [set(sample.labels) - {"le"} for sample in metric.samples]
        assert all(one >= EVERYWHERE for one in labels), metric.name
        assert labels, metric.name
        rows.append(row(metric, labels[0]))
    await runtime.dispatcher.close()
    return rows


def listed() -> list[tuple[str, str, str]]:
    """The same, as the page's table says."""
    rows = re.findall(r"^\| (`headrace_\w+`) \| (\w+) \|(.*?)\| \S", PAGE.read_text("utf-8"), re.M)
    return [(name, type_, labels.strip()) for name, type_, labels in rows]


async def test_the_page_lists_what_a_worker_exposes() -> None:
    assert sorted(listed()) == sorted(await exposed())
