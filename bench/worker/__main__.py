"""The worker beside a raw redis-py loop, FastStream, taskiq-redis, arq and the article's loop.

    python -m bench.worker                 every figure but the long ones
    python -m bench.worker --long          10 million events, and several processes
    python -m bench.worker --guard         seconds: single and batch beside raw, for CI

One server, interleaved rounds. A figure is a ratio to the raw loop of its own round and payload:
median, and the spread over the rounds. The last line reads name=value. Exits 1 below a bound.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from bench.worker.contenders import WAIT_SECONDS, WAITING, resident_kib
from bench.worker.server import body, fill, server

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".build" / "bench"
"""Where `make bench-worker` installs the peers, each with what it pins."""

BOUNDS = {
    "single": 0.5,
    "single_by_faststream": 15.0,
    "batch": 0.7,
    "batch_by_faststream_batch": 1.0,
    "dedup": 0.25,
    "outputs": 0.25,
    "failing": 0.25,
    "sync": 0.25,
    "1KiB": 0.25,
    "16KiB": 0.25,
    "waiting": 0.9,
}
CEILINGS = {
    "latency_p50_ms": 2.0, "latency_p99_ms": 10.0, "idle_rss_mib": 60.0, "idle_cpu_percent": 1.0,
}  # fmt: skip
GUARD = 0.8
"""CI fails below this share of a bound: its machines are noisier than a bench's."""
PEERS = {
    "faststream": ("peers", 6_000),
    "faststream_batch": ("peers", 60_000),
    "taskiq": ("peers", 4_000),
    "arq": ("arq", 3_000),
    "naive": ("peers", 8_000),
}
GROUPS = iter(range(1 << 30))
HANDLERS = """
import headrace
from pydantic import BaseModel

app = headrace.App()


class Flight(BaseModel):
    carrier: str


@app.on("flight.landed")
async def landed(event: Flight, ctx: headrace.Context) -> None: ...
"""


@dataclass
class Report:
    """Figures as they come in, and what they mean at the end."""

    values: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rates: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: float) -> None:
        self.values[name].append(value)

    def rate(self, name: str, rate: float) -> float:
        self.rates[name].append(rate)
        print(f"  {name:18} {rate:12,.0f} events/s", flush=True)
        return rate

    def end(self, share: float = 1.0, *, best: bool = False) -> int:
        """Print everything; the exit code. `best`: judge the best round, not the median."""
        print("\nevents/s: median (least .. most)")
        for name, rates in self.rates.items():
            print(f"  {name:26} {_spread(rates, ',.0f')}")
        print("\nfigures: median (least .. most)")
        missed, line = [], []
        for name, values in self.values.items():
            median = statistics.median(values)
            judged, bound = (max(values) if best else median), BOUNDS.get(name)
            ceiling = CEILINGS.get(name)
            said = ""
            if bound is not None:
                said = f"  bound {bound * share:g}"
                missed += [name] if judged < bound * share else []
            elif ceiling is not None:
                said = f"  at most {ceiling:g}"
                missed += [name] if median > ceiling else []
            print(f"  {name:26} {_spread(values, '.3f')}{said}")
            line.append(f"{name}={median:.3f}")
        if missed:
            print(f"missed: {', '.join(missed)}")
        print(" ".join(line))
        return 1 if missed else 0


class Bench:
    """Runs contenders against one server and keeps their figures."""

    def __init__(self, port: int, report: Report) -> None:
        self.port = port
        self.report = report
        self.redis = redis.Redis(port=port)

    def run(self, name: str, stream: str, events: int) -> dict[str, Any]:
        """One contender in a process of its own, on a group of its own."""
        group = f"{name}-{next(GROUPS)}"
        self.redis.xgroup_create(stream, group, "0", mkstream=True)
        measured: dict[str, Any] = json.loads(self._start(name, stream, group, events)())
        pending = self.redis.xpending(stream, group)["pending"]
        assert pending == 0, f"{name} left {pending} entries pending"
        self.redis.xgroup_destroy(stream, group)
        return measured

    def rate(self, name: str, stream: str, events: int, label: str = "") -> float:
        measured = self.run(name, stream, events)
        return self.report.rate(label or name, events / measured["seconds"])

    def peer(self, name: str) -> float:
        environment, events = PEERS[name]
        python = ENVIRONMENTS / environment / "bin" / "python"
        command = [str(python), str(HERE / "peers.py"), name, str(self.port), str(events)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return self.report.rate(name, events / float(out))

    def fleet(self, name: str, stream: str, processes: int) -> float:
        """Events per second of several processes on one group."""
        group = f"{name}-{next(GROUPS)}"
        self.redis.xgroup_create(stream, group, "0")
        self.redis.delete("bench:ready", "bench:go")
        ends = [self._start(name, stream, group, 0) for _ in range(processes)]
        while int(self.redis.get("bench:ready") or 0) < processes:
            time.sleep(0.02)
        self.redis.set("bench:go", 1)
        parts = [json.loads(end()) for end in ends]
        self.redis.xgroup_destroy(stream, group)
        seconds = max(p["ended"] for p in parts) - min(p["started"] for p in parts)
        return self.report.rate(f"{name} x {processes}", sum(p["events"] for p in parts) / seconds)

    def latency(self, name: str, events: int) -> dict[str, float]:
        """The contender while 1,000 events a second come in."""
        stream, group = f"bench:{name}", f"{name}-{next(GROUPS)}"
        self.redis.delete(stream)  # the rounds before sent into it too
        self.redis.xgroup_create(stream, group, "0", mkstream=True)
        end = self._start(name, stream, group, events)
        while not self.redis.info("clients")["blocked_clients"]:
            time.sleep(0.05)
        began = time.perf_counter()
        for number in range(events):
            while time.perf_counter() < began + number / 1000:
                time.sleep(0.0002)
            sent = json.dumps({"sent": time.time()})
            self.redis.xadd(stream, {"type": "flight.landed", "version": 1, "payload": sent})
        return {key: value * 1000 for key, value in json.loads(end()).items()}

    def _start(self, name: str, stream: str, group: str, events: int) -> Any:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker.contenders",
             name, str(self.port), stream, group, str(events)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

        def end() -> str:
            out, _ = process.communicate()
            assert process.returncode == 0, f"{name} failed"
            return out

        return end


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
        bench.redis.delete(*bench.redis.scan_iter("headrace:*:seen:*", count=10_000))
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
    """Least-squares slope per sample, and its standard error."""
    line = statistics.linear_regression(range(len(samples)), samples)
    rest = [y - line.slope * x - line.intercept for x, y in enumerate(samples)]
    middle = (len(samples) - 1) / 2
    spread = sum((x - middle) ** 2 for x in range(len(samples)))
    variance = sum(one * one for one in rest) / max(1, len(samples) - 2)
    return line.slope, (variance / spread) ** 0.5


def guard(bench: Bench) -> None:
    """Single and batch beside raw, short and paired; the best of the rounds is judged."""
    fill(bench.redis, "{bench}", 30_000, body(), ids=False)
    for _ in range(4):
        raw = bench.rate("raw", "{bench}", 30_000)
        for name in ("single", "batch"):
            bench.report.add(name, bench.rate(name, "{bench}", 30_000) / raw)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", default="redis-server")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--guard", action="store_true")
    options = parser.parse_args()
    report = Report()
    with server(options.server) as port:
        bench = Bench(port, report)
        if options.guard:
            guard(bench)
            return report.end(GUARD, best=True)
        if options.long:
            several(bench, 200_000, 3)
            memory(bench, 10_000_000)
        else:
            rounds(bench, options.events, options.rounds)
            waiting(bench, 3)
            latencies(bench, 3, 3_000)
            idle(bench, 15.0)
    return report.end()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _spread(values: list[float], form: str) -> str:
    median = statistics.median(values)
    return f"{median:{form}} ({min(values):{form}} .. {max(values):{form}})"


if __name__ == "__main__":
    sys.exit(main())
