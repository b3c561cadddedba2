"""Runs contenders, each in a process of its own, against one server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import redis
from bench.worker.report import Report

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".build" / "bench"
"""Where `make bench-worker` installs the peers, each with what it pins."""

PEERS = {
    "faststream": ("peers", 6_000),
    "faststream_batch": ("peers", 60_000),
    "taskiq": ("peers", 4_000),
    "arq": ("arq", 3_000),
    "naive": ("peers", 8_000),
}
GROUPS = iter(range(1 << 30))


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
        before = self._server_seconds()
        measured: dict[str, Any] = json.loads(self._start(name, stream, group, events)())
        measured["server"] = self._server_seconds() - before
        pending = self.redis.xpending(stream, group)["pending"]
        assert pending == 0, f"{name} left {pending} entries pending"
        self.redis.xgroup_destroy(stream, group)
        return measured

    def rate(self, name: str, stream: str, events: int, label: str = "") -> float:
        measured = self.run(name, stream, events)
        spent = (measured["cpu"] / events * 1e6, measured["server"] / events * 1e6)
        self.report.cpu[label or name].append(spent)
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

    def _server_seconds(self) -> float:
        used = self.redis.info("cpu")
        return float(used["used_cpu_user"] + used["used_cpu_sys"])

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
