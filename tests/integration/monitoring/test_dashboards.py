"""The dashboards: a real Prometheus answers every query with the series of real workers."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from make.pictures import dashboard
from make.pictures.scrape import Answers
from prometheus_client import CollectorRegistry, generate_latest
from tests.support import redis_servers
from tests.support.observations import SETTINGS, backlog, group_backlog, pipeline, pod, settled
from tests.support.prometheus import Prometheus
from tests.support.waiting import eventually
from tests.support.workers import Stage, worker

import headrace
from headrace.worker.metrics import Metrics
from headrace_operator import metrics
from headrace_operator.backlog.wakeups import Reading
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import STREAM_PIPELINE
from headrace_operator.plan import plan
from headrace_operator.reconcile.memory import Memory
from headrace_operator.scaling.decide import ScalingHistory
from headrace_operator.scaling.throughput import Rates, Sample
from headrace_operator.telemetry.condition_metrics import Conditions
from headrace_operator.telemetry.pipeline_metrics import Fleet

DASHBOARDS = Path(__file__).parents[3] / "charts/headrace/files/dashboards"
QUERIES = [
    pytest.param(target["expr"], id=f"{path.stem}: {panel['title']} {target['legendFormat']}")
    for path in sorted(DASHBOARDS.glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
    for target in panel.get("targets", ())
]


def of_the_operator() -> str:
    """What the leader's /metrics says of one pipeline with a backlog."""
    subject = pipeline()
    seen = backlog(delays=group_backlog(150, pending=30, parked=4, due_now=1, oldest_age_s=7.5))
    world = settled(subject, backlog=seen, pods=(pod("a"),))
    made = plan(world, SETTINGS)
    memory = Memory.empty("uid", lambda: 0.0)
    memory.planned.workers = made.workers
    rates = Rates((Sample(0, 0, 500, 500, 2), Sample(10, 300, 500, 500, 2)), per_worker=20.0)
    memory.planned.history = {"delays": ScalingHistory(rates=rates)}
    read = Reading(seen, None, 1.0, stream_bytes=5_000_000, memory_full_in=90_000)
    fleet = Fleet([("default/flights", memory)], lambda _: read)
    cache = Cache()
    live = subject.model_dump(mode="json", by_alias=True, exclude_unset=True)
    condition = {"type": "Ready", "status": "False", "reason": "Progressing"}
    cache.put(STREAM_PIPELINE, live | {"status": {"conditions": [condition]}})
    metrics.QUEUE_WAIT.observe(0.01)
    metrics.RECONCILES.labels("ok").inc()
    metrics.API_REQUESTS.labels("PATCH", "deployments", "200").inc()
    own = generate_latest().decode()
    return own + fleet.text() + Conditions(cache, lambda: True).text()


def of_a_worker(counted: Metrics) -> str:
    registry = CollectorRegistry()
    registry.register(counted)
    return generate_latest(registry).decode()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, list[Callable[[], str]]]]:
    """An address, and what is served there as one exposition."""
    sources: list[Callable[[], str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(source() for source in sources).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", sources
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
async def prometheus(
    served: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Prometheus]:
    """It has scraped an operator, and a worker that had handled, retried and given up on events."""
    address, sources = served
    app = headrace.App()

    @app.on("good")
    async def good(event: int) -> None: ...

    @app.on("bad")
    async def bad(event: int) -> None:
        raise headrace.Reject("no")

    with redis_servers.running() as redis:
        stage = Stage(redis)
        async with worker(stage, app) as runtime:
            stage.send(1, 2, type="good")
            stage.send(1, type="bad")
            await eventually(lambda: stage.settled)
            sources += [of_the_operator, lambda: of_a_worker(runtime.metrics)]
            server = Prometheus(tmp_path_factory.mktemp("prometheus"), address)
            try:
                await eventually(lambda: len(rows(server, "count_over_time(up[1m]) >= 2")) == 1)
                stage.send(3, 4, type="good")  # rates need what moves between two scrapes
                stage.send(2, type="bad")
                await eventually(lambda: stage.settled)
                await eventually(lambda: len(rows(server, "count_over_time(up[1m]) >= 5")) == 1)
                yield server
            finally:
                await asyncio.to_thread(server.close)


def rows(server: Prometheus, expression: str) -> list[dict[str, Any]]:
    try:
        return server.query(expression)
    except OSError:  # it starts
        return []


@pytest.mark.parametrize("expression", QUERIES)
async def test_every_query_has_an_answer(prometheus: Prometheus, expression: str) -> None:
    for name, value in {
        "$__rate_interval": "15s",
        "$namespace": ".*",
        "$pipeline": ".*",
        "$group": ".*",
    }.items():
        expression = expression.replace(name, value)
    assert prometheus.query(expression), expression


@pytest.mark.parametrize("file", sorted(DASHBOARDS.glob("*.json")), ids=lambda file: file.stem)
async def test_each_panel_is_drawn_with_its_data(prometheus: Prometheus, file: Path) -> None:
    now = time.time()
    content = json.loads(await asyncio.to_thread(file.read_text))
    picture = dashboard.drawn(content, Answers(prometheus, (now - 5, now), now), (now - 5, now))
    drawn = ElementTree.fromstring(picture)
    assert "No data" not in picture
    texts = {one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {panel["title"] for panel in content["panels"]} <= texts


def test_panels_lie_side_by_side_and_their_ids_differ() -> None:
    for path in DASHBOARDS.glob("*.json"):
        panels = json.loads(path.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        corners = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
        assert len(corners) == len(panels)
        assert all(panel["description"] for panel in panels if panel["type"] != "row")
