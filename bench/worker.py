"""The worker beside a raw redis-py loop: same server, same run, interleaved rounds.

    python -m bench.worker --events 100000 --rounds 5

Each figure is a ratio to the raw loop of its own round; the last line reads name=value. Exits
non-zero below a bound.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import redis

STREAM = "bench"
BOUNDS = {"single": 0.5, "batch": 0.7}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contenders", default="single,batch,sync")
    parser.add_argument("--server", default="redis-server")
    options = parser.parse_args()
    names = options.contenders.split(",")
    with tempfile.TemporaryDirectory() as directory:
        port = _free_port()
        server = subprocess.Popen(
            [options.server, "--port", str(port), "--save", "", "--appendonly", "no"],
            cwd=directory,
            stdout=subprocess.DEVNULL,
        )
        try:
            return _rounds(port, names, options.events, options.rounds)
        finally:
            server.terminate()
            server.wait()


def _rounds(port: int, names: list[str], events: int, rounds: int) -> int:
    client = redis.Redis(port=port)
    _wait(client)
    _fill(client, events)
    ratios: dict[str, list[float]] = {name: [] for name in names}
    cpu_ratios: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        raw, raw_cpu = _run("raw", port, number, events, client)
        line = [f"round {number + 1}: raw {raw:,.0f}/s"]
        for name in names:
            rate, cpu = _run(name, port, number, events, client)
            ratios[name].append(rate / raw)
            cpu_ratios[name].append(cpu / raw_cpu)
            line.append(f"{name} {rate:,.0f}/s = {rate / raw:.2f}")
        print("  ".join(line), flush=True)
    missed = 0
    figures = []
    for name, values in ratios.items():
        median = statistics.median(values)
        bound = BOUNDS.get(name)
        missed += bound is not None and median < bound
        print(
            f"{name}: {median:.2f} x raw ({min(values):.2f}..{max(values):.2f})"
            + (f", bound {bound}" if bound is not None else "")
        )
        processor = statistics.median(cpu_ratios[name])
        print(f"    by its own processor time: {processor:.2f} x raw")
        figures.append(f"{name}_ratio={median:.3f} {name}_cpu_ratio={processor:.3f}")
    print(" ".join(figures))
    return 1 if missed else 0


def _run(
    name: str, port: int, number: int, events: int, client: redis.Redis
) -> tuple[float, float]:
    group = f"{name}-{number}"
    client.xgroup_create(STREAM, group, "0")
    out = subprocess.run(
        [sys.executable, "-m", "bench.contenders", name, str(port), STREAM, group, str(events)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pending = client.xpending(STREAM, group)["pending"]
    assert pending == 0, f"{name} left {pending} entries pending"
    client.xgroup_destroy(STREAM, group)
    wall, cpu = map(float, out.split())
    return events / wall, events / cpu


def _fill(client: redis.Redis, events: int) -> None:
    payload = {
        "carrier": "UA", "flight": 1545, "arr_delay": 11, "origin": "EWR", "dest": "IAH",
        "tailnum": "N14228", "year": 2013, "month": 1, "day": 1, "distance": 1400,
        "note": "0123456789",
    }  # fmt: skip
    body = json.dumps(payload, separators=(",", ":"))
    print(f"{events:,} events of {len(body)} bytes")
    pipeline = client.pipeline(transaction=False)
    for number in range(events):
        pipeline.xadd(STREAM, {"type": "flight.landed", "version": 1, "payload": body})
        if number % 1000 == 999:
            pipeline.execute()
    pipeline.execute()


def _wait(client: redis.Redis) -> None:
    for _ in range(100):
        try:
            client.ping()
            return
        except redis.ConnectionError:
            time.sleep(0.05)
    raise SystemExit("redis-server did not start")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
