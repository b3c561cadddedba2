"""The figures that a dashboard needs, as Prometheus reads them, after events of known ends."""

import asyncio
import time

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.waiting import eventually
from tests.support.workers import GROUP, STREAM, Stage, worker

import headrace
from headrace.worker.runtime import Runtime

EVERYWHERE = {"pipeline": "", "group": ""}


def scraped(runtime: Runtime) -> dict[tuple[str, ...], float]:
    """(name without headrace_worker_, further label values) -> value."""
    registry = CollectorRegistry()
    registry.register(runtime.metrics)
    return {
        (
            sample.name.removeprefix("headrace_worker_"),
            *(value for name, value in sample.labels.items() if name not in EVERYWHERE),
        ): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


async def test_ends_times_and_sizes_are_counted(stage: Stage) -> None:
    app = headrace.App()

    @app.on("good")
    async def good(event: int) -> None:
        await asyncio.sleep(0.05)

    @app.on("bad")
    async def bad(event: int) -> None:
        raise headrace.Reject("no")

    @app.on("later")
    async def later(event: int) -> None:
        raise headrace.Retry(after=60)

    fields = {"type": "good", "version": 1, "payload": "0"}
    stage.redis.xadd(STREAM, fields, id=f"{int(time.time() * 1000) - 100_000}-0")
    async with worker(stage, app) as runtime:
        await eventually(lambda: scraped(runtime).get(("events_total", "done", "good/1")) == 1)
        old = scraped(runtime)
        stage.send(1, 2, type="good")
        stage.send(1, type="bad")
        stage.send(1, 2, type="later")
        stage.send(*[{}] * 3, type="made up")
        await eventually(lambda: scraped(runtime)["parked",] == 2)
        await eventually(lambda: scraped(runtime).get(("events_total", "done", "good/1")) == 3)
        now = scraped(runtime)
    assert 100 <= old["delivery_seconds_sum",] < 130
    assert now["delivery_seconds_count",] == now["commit_entries_sum",] == 9
    assert {key[1:]: value for key, value in now.items() if key[0] == "events_total"} == {
        ("done", "good/1"): 3,
        ("dead_lettered", "bad/1"): 1,
        ("retried", "later/1"): 2,
        ("dead_lettered", "unknown"): 3,
    }
    assert now["handling_seconds_count", "good/1"] == 3
    assert 0.15 <= now["handling_seconds_sum", "good/1"] < 30
    assert (now["dead_letters_total",], now["retries_total",]) == (4, 2)
    assert now["commits_total",] == now["commit_entries_count",] > 0


async def test_what_runs_is_in_flight_and_its_leases_are_counted(stage: Stage) -> None:
    app, release = headrace.App(), asyncio.Event()

    @app.on("slow", timeout=60)
    async def slow(event: int) -> None:
        await release.wait()

    _, taken = stage.send(1, 2, type="slow")
    async with worker(stage, app, delivery={"minIdle": "1s"}) as runtime:
        await eventually(lambda: scraped(runtime)["leases_renewed_total",] >= 2)
        now = scraped(runtime)
        assert (now["in_flight",], now["held",], now["leases_lost_total",]) == (2, 2, 0)
        stage.redis.xclaim(STREAM, GROUP, "another", 0, [taken])
        await eventually(lambda: scraped(runtime)["leases_lost_total",])
        release.set()
        await eventually(lambda: scraped(runtime)["held",] == 0)
        now = scraped(runtime)
    assert now["in_flight",] == 0
    assert now["lost_total",] == 1
    assert now["events_total", "done", "slow/1"] == 1
