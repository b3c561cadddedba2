"""A server and a worker process, and what is sent to the one and handled by the other."""

from __future__ import annotations

import contextlib
import json
import os
import re
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Self

import redis

from tests.support import waiting
from tests.support.redis_servers import RedisServer
from tests.support.workers import GROUP, STREAM, Stage, WorkerProcess, Workers, numbers

OUTPUT = "{flights}:out"
HANDLERS = f"""
    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        await asyncio.sleep(event.get("seconds", 0))
        ctx.emit({OUTPUT!r}, headrace.Event("flight.seen", {{"n": event["n"]}}))
        effect(f"end {{event['n']}}")
"""
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
ANSWER_SECONDS = 2.0
SERVED = re.compile(r"probes on port (\d+)")
TICKS = os.sysconf("SC_CLK_TCK")


class Scene:
    """A server that keeps what it was told, and a worker with outputs. Subclasses say what differs.

    `redis` is a direct connection, made before the fault and spared by it.
    """

    def __init__(self, kind: str) -> None:
        self.server = RedisServer(kind, *DURABLE, *self.options())
        self.sent = 0
        self.kept: set[int] = set()
        """Numbers of the events that the server surely has, or had."""

    def options(self) -> list[str]:
        return ["--enable-protected-configs", "yes", "--busy-reply-threshold", "50"]

    def settings(self) -> dict[str, Any]:
        """`redis` in the worker's configuration."""
        return {"endpoints": [self.server.endpoint]}

    def prepare(self) -> None:
        """Between the server's start and the worker's."""

    def launch(self, workers: Workers) -> WorkerProcess:
        return workers.start()

    def __enter__(self) -> Self:
        self.server.start()
        self.prepare()
        self.redis = self.client()
        self.workers = Workers(
            Stage(self.server),
            HANDLERS,
            redis=self.settings(),
            outputs=[{"stream": OUTPUT}],
            delivery={"minIdle": "30s", "handlerTimeout": "30s"},
        )
        self.worker = self.launch(self.workers)
        waiting.until("a worker that is ready", self.ready, within=300)
        return self

    def __exit__(self, *_: object) -> None:
        self.workers.close()
        self.server.stop()

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.server.port, socket_timeout=ANSWER_SECONDS, retry=None)

    def kill_connections(self) -> None:
        """All but our own."""
        self.redis.client_kill_filter(_type="normal", skipme=True)

    def send(self, count: int, *, seconds: float = 0.0) -> int:
        """Add so many events, each on its own; how many the server took. `seconds`: what their
        handlers take."""
        took = 0
        for number in range(self.sent, self.sent + count):
            body = json.dumps({"n": number, "seconds": seconds})
            event = {"type": "flight.landed", "version": 1, "payload": body}
            try:
                self.redis.xadd(STREAM, event)  # type: ignore[arg-type]
            except redis.RedisError as error:
                if not isinstance(error, redis.ResponseError):
                    break  # it may be there, or not
            else:
                self.kept.add(number)
                took += 1
        self.sent += count
        return took

    def must_send(self, count: int) -> None:
        """The same, until the server has taken so many."""
        wanted = len(self.kept) + count

        def taken() -> bool:
            self.send(wanted - len(self.kept))
            return len(self.kept) >= wanted

        waiting.until("a server that takes events", taken, within=120)

    @property
    def handled(self) -> Counter[int]:
        return numbers(self.workers.effects, "end")

    def settled(self) -> bool:
        """All that is kept was handled, its outputs are there, and nothing is pending."""
        if not self.kept <= self.handled.keys():
            return False
        with contextlib.suppress(redis.RedisError):
            rows: Any = self.redis.xrange(OUTPUT)
            written = {json.loads(fields[b"payload"])["n"] for _, fields in rows}
            pending: Any = self.redis.xpending(STREAM, GROUP)
            return written >= self.kept and pending["pending"] == 0
        return False

    def forget(self, numbers: set[int]) -> None:
        """The server lost these; nobody can handle them, or has their outputs."""
        self.kept -= numbers

    def ready(self) -> bool:
        """What a kubelet hears of /readyz."""
        found = SERVED.search(self.worker.text)
        if found is None:
            return False
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{found[1]}/readyz"
            with urllib.request.urlopen(url, timeout=5.0):
                return True
        return False

    def cpu_seconds(self) -> float:
        """What the worker has used so far."""
        fields = (
            Path(f"/proc/{self.worker.process.pid}/stat").read_text().rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wait_for_server(self, seconds: float = 60.0) -> None:
        def answers() -> bool:
            with contextlib.suppress(redis.RedisError):
                return bool(self.redis.ping())
            return False

        waiting.until("a server that answers", answers, within=seconds)
