"""Events sent and handled while Redis fails over: what was lost, and for how long nothing moved."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import redis

import headrace
from headrace.worker.config import WorkerSettings
from headrace.worker.metrics import Metrics
from headrace.worker.runtime import Runtime
from headrace.worker.startup import prepare
from headrace_api.worker_config import WorkerConfig
from tests.support.redis_topologies import Cluster, SentinelSet, plain
from tests.support.waiting import eventually
from tests.support.workers import STREAM, config

CHUNK = 50
SECONDS = 90.0
"""Until all is handled, and until all outputs are there. The machine decides how long it takes."""
AFTER_THE_FAULT = 20
"""Chunks that must still get through when Redis is whole again."""


class Topology(Protocol):
    """Redis that fails over."""

    def primary(self, key: str) -> int:
        """The port here that leads to the key's primary. Raises redis errors."""


@dataclass
class Sender:
    """Adds events in chunks; those that a replica has by WAIT cannot be lost by a failover."""

    topology: Topology
    stream: str = STREAM
    kept: set[int] = field(default_factory=set)
    """Numbers of the events that the server has, and a replica, too."""
    gap: float = 0.0
    """The longest time without such a chunk, in seconds."""
    number: int = 0
    pause: float = 0.01
    _client: redis.Redis | None = None
    _last: float = field(default_factory=time.monotonic)

    def send(self) -> bool:
        """One chunk; whether it is kept. A chunk that got lost is not sent again."""
        numbers = range(self.number, self.number + CHUNK)
        self.number += CHUNK
        try:
            if self._client is None:
                self._client = plain(self.topology.primary(self.stream))
            pipeline = self._client.pipeline(transaction=False)
            for n in numbers:
                body = json.dumps({"n": n})
                pipeline.xadd(self.stream, {"type": "flight.landed", "version": 1, "payload": body})
            pipeline.wait(1, 1000)
            replicas = pipeline.execute()[-1]
        except redis.RedisError:
            self._client = None
            time.sleep(0.1)
            return False
        if replicas < 1:
            return False
        self.kept.update(numbers)
        now = time.monotonic()
        self.gap, self._last = max(self.gap, now - self._last), now
        return True


@dataclass(frozen=True)
class Result:
    """`lost`: numbers of kept events that no handler saw. Gaps in seconds."""

    kept: int
    lost: set[int]
    twice: int
    as_new: int
    """Of those handled twice, the ones that came as if for the first time: the server that took
    over had forgotten that the group had read them."""
    redelivered: int
    """Entries that the worker parked for another run: handed back, because the server that took
    over had forgotten their end, or claimed from a dead worker."""
    senders_gap: float
    handlers_gap: float


async def run_through(
    topology: SentinelSet | Cluster, fault: Callable[[str], None], *, events: int = 1_000
) -> Result:
    """Handle at least so many events, with the fault in their middle."""
    app, seen, as_new, output = headrace.App(), Counter[int](), Counter[int](), "landed"
    handled = [time.monotonic(), 0.0]

    @app.on("flight.landed")
    async def landed(event: dict[str, Any], ctx: headrace.Context) -> None:
        if event["n"] in seen and ctx.delivery_count == 1:
            as_new[event["n"]] += 1
        seen[event["n"]] += 1
        now = time.monotonic()
        handled[:] = now, max(handled[1], now - handled[0])
        ctx.emit(output, headrace.Event("flight.seen", {"n": event["n"]}))

    told = config(
        topology,  # type: ignore[arg-type]
        redis=topology.settings,
        delivery={"minIdle": "5s", "maxCrashes": 5},
        outputs=[{"stream": output}],
    )
    runtime = Runtime(WorkerSettings.of(WorkerConfig.model_validate(told)), app, Metrics())
    sender = Sender(topology)
    runtime.start()
    try:
        await prepare(runtime)
        runtime.read()
        half, whole = threading.Event(), threading.Event()
        sending = asyncio.create_task(asyncio.to_thread(send_through, sender, half, whole, events))
        await asyncio.to_thread(half.wait)
        try:
            # In a thread that lives on: a server that it starts again would end with it.
            await asyncio.to_thread(fault, STREAM)
        finally:
            whole.set()
        await sending
        await eventually(lambda: sender.kept <= seen.keys(), SECONDS)
        deadline = time.monotonic() + SECONDS
        # A failover may forget what was settled: then it is handled and written again.
        while not sender.kept <= await asyncio.to_thread(_outputs, topology, output):
            assert time.monotonic() < deadline, "events that were handled have no output"
            await asyncio.sleep(0.2)
    finally:
        await runtime.stop(2.0)
    return Result(
        kept=len(sender.kept),
        lost=sender.kept - seen.keys(),
        twice=sum(count - 1 for count in seen.values()),
        as_new=as_new.total(),
        redelivered=runtime.metrics.counts["claimed"] + runtime.metrics.counts["handed_back"],
        senders_gap=sender.gap,
        handlers_gap=handled[1],
    )


def send_through(
    sender: Sender, half: threading.Event, whole: threading.Event, events: int
) -> None:
    """Set `half` in the middle; end some chunks after `whole`."""
    after = 0
    while after < AFTER_THE_FAULT or len(sender.kept) < events:
        kept = sender.send()
        after += kept and whole.is_set()
        if len(sender.kept) >= events // 2:
            half.set()
            time.sleep(sender.pause)


def _outputs(topology: SentinelSet | Cluster, stream: str) -> set[int]:
    rows: Any = plain(topology.primary(stream)).xrange(stream)
    return {json.loads(fields[b"payload"])["n"] for _, fields in rows}
