"""A redis-server for one run of the bench, and the streams that its contenders read."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

PAYLOAD = {
    "carrier": "UA", "flight": 1545, "arr_delay": 11, "origin": "EWR", "dest": "IAH",
    "tailnum": "N14228", "year": 2013, "month": 1, "day": 1, "distance": 1400,
    "note": "01234567",
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def server(command: str = "redis-server", *options: str) -> Iterator[int]:
    """Run one on a free loopback port, without persistence; yields the port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [command, "--port", str(port), "--save", "", "--appendonly", "no", *options],
            cwd=directory,
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(redis.Redis(port=port))
            yield port
        finally:
            process.terminate()
            process.wait()


def body(size: int | None = None) -> bytes:
    """The payload as JSON: 156 bytes, or padded to `size`."""
    text = json.dumps(PAYLOAD, separators=(",", ":"))
    if size is not None:
        note = PAYLOAD["note"] + "x" * (size - len(text))  # type: ignore[operator]
        text = json.dumps({**PAYLOAD, "note": note}, separators=(",", ":"))
    return text.encode()


def fill(client: redis.Redis, stream: str, events: int, payload: bytes, *, ids: bool) -> None:
    """Append events; `ids` gives each an id of its own."""
    pipeline = client.pipeline(transaction=False)
    for number in range(events):
        fields = {"type": "flight.landed", "version": 1, "payload": payload}
        pipeline.xadd(stream, {**fields, "id": f"event-{number}"} if ids else fields)
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
