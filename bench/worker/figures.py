"""What is measured, one function for each kind of figure."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.worker.bench import ENVIRONMENTS, PEERS, Bench
from bench.worker.contenders import WAIT_SECONDS, WAITING, resident_kib
from bench.worker.server import body, fill

HANDLERS = """
import headrace
from pydantic import BaseModel

app = headrace.App()


class Flight(BaseModel):
    carrier: str


@app.on("flight.landed")
async def landed(event: Flight, ctx: headrace.Context) -> None: ...
"""


def rounds(bench: Bench, events: int, count: int) -> None:
    """Throughput: every contender once a round, each beside a raw loop of its round."""
    add = bench.report.add
    fill(bench.redis, "{bench}", events, body(), ids=False)
    fill(bench.redis, "{bench}:ids", events, body(), ids=True)
    fill(bench.redis, "{bench}:1k", events // 2, body(1024), ids=False)
    fill(bench.redis, "{bench}:16k", events // 10, body(16384), ids=False)
    for number in range(count):
        print(f"round {number + 1} of {count}", flush=True)
        raw = bench.rate("raw", "{bench}", events)
        single = bench.rate("single", "{bench}", events)
        batch = bench.rate("batch", "{bench}", events)
        add("single", single / raw)
        add("batch", batch / raw)
        raw = bench.rate("raw", "{bench}", events)
        for name in ("outputs", "failing", "sync"):
            add(name, bench.rate(name, "{bench}", events) / raw)
        raw = bench.rate("raw", "{bench}:ids", events, "raw, with ids")
        add("dedup", bench.rate("dedup", "{bench}:ids", events) / raw)
        bench.redis.delete(*bench.redis.scan_iter("headrace:*:seen*", count=10_000))
        for label, part in (("1k", 2), ("16k", 10)):
            stream, size = f"{{bench}}:{label}", f"{label[:-1]}KiB"
            raw = bench.rate("raw", stream, events // part, f"raw, {size}")
            add(size, bench.rate("single", stream, events // part, f"single, {size}") / raw)
        peers = {name: bench.peer(name) for name in PEERS}
        for name in ("faststream", "taskiq", "arq", "naive"):
            add(f"single_by_{name}", single / peers[name])
        add("batch_by_faststream_batch", batch / peers["faststream_batch"])


def waiting(bench: Bench, count: int) -> None:
    """Handlers that wait: what part of the possible rate is reached."""
    fill(bench.redis, "{bench}:waiting", 12_800, body(), ids=False)
    for _ in range(count):
        rate = bench.rate("waiting", "{bench}:waiting", 12_800, "waiting 10 ms")
        bench.report.add("waiting", rate * WAIT_SECONDS / WAITING)


def latencies(bench: Bench, count: int, events: int) -> None:
    """How much later than the raw loop a handler sees an event, at 1,000 a second."""
    for _ in range(count):
        raw, ours = bench.latency("latency_raw", events), bench.latency("latency", events)
        print(f"  latency: raw {raw}, headrace {ours}", flush=True)
        for name in ("p50", "p99"):
            bench.report.add(f"raw_{name}_ms", raw[name])
            bench.report.add(f"latency_{name}_ms", ours[name] - raw[name])


def idle(bench: Bench, seconds: float) -> None:
    """A `headrace worker` with nothing to do, as it runs in a pod."""
    code = ENVIRONMENTS.parent / "bench-handlers"
    code.mkdir(parents=True, exist_ok=True)
    (code / "handlers.py").write_text(HANDLERS)
    config = {
        "namespace": "bench", "pipeline": "bench", "group": "idle", "consumerGroup": "idle",
        "stream": "bench:idle", "redis": {"endpoints": [f"127.0.0.1:{bench.port}"]},
        "deadLetter": {"stream": "headrace:{bench:idle}:dead", "maxLength": 1000},
        "owner": {"key": "bench/bench", "uid": "idle"},
        "handler": "handlers:app", "codeDir": str(code),
    }  # fmt: skip
    (code / "worker.json").write_text(json.dumps(config))
    process = subprocess.Popen(
        [sys.executable, "-m", "headrace", "worker", "--port", "0"],
        env={**os.environ, "HEADRACE_CONFIG": str(code / "worker.json")},
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(3.0)
        before = _cpu_seconds(process.pid)
        time.sleep(seconds)
        used = _cpu_seconds(process.pid) - before
        bench.report.add("idle_cpu_percent", 100 * used / seconds)
        bench.report.add("idle_rss_mib", resident_kib(process.pid) / 1024)
    finally:
        process.terminate()
        process.wait()


def several(bench: Bench, events: int, count: int) -> None:
    """Two and four processes on one group, beside as many raw loops."""
    fill(bench.redis, "{bench}:several", events, body(), ids=False)
    for _ in range(count):
        alone = {name: bench.fleet(name, "{bench}:several", 1) for name in ("share_raw", "share")}
        for processes in (2, 4):
            for name, rate in alone.items():
                together = bench.fleet(name, "{bench}:several", processes)
                bench.report.add(f"{name}_x{processes}", together / rate)


def memory(bench: Bench, events: int) -> None:
    """Resident memory over many events: the slope after the first fifth, and its error."""
    fill(bench.redis, "{bench}:memory", 250_000, body(), ids=False)
    measured = bench.run("memory", "{bench}:memory", events)
    samples = measured["samples"][len(measured["samples"]) // 5 :]
    slope, error = slope_of(samples)
    print(f"  memory, KiB after each 250,000 events: {measured['samples']}")
    bench.report.add("memory_kib_per_million", slope * 4)
    bench.report.add("memory_slope_errors", slope / error if error else 0.0)
    bench.report.add("memory_mib", samples[-1] / 1024)


def slope_of(samples: list[float]) -> tuple[float, float]:
    """Mean growth per sample, and its standard error. By the steps between samples, for memory
    once taken stays taken: a step is no trend, and what leaks steps at each sample."""
    steps = [after - before for before, after in itertools.pairwise(samples)]
    return statistics.mean(steps), statistics.stdev(steps) / len(steps) ** 0.5


def guard(bench: Bench) -> None:
    """Single and batch beside raw, short and paired; the best of the rounds is judged."""
    fill(bench.redis, "{bench}", 30_000, body(), ids=False)
    for _ in range(4):
        raw = bench.rate("raw", "{bench}", 30_000)
        for name in ("single", "batch"):
            bench.report.add(name, bench.rate(name, "{bench}", 30_000) / raw)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
