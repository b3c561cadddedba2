"""Workers for tests: in this process, where a test looks inside, or as a process to be killed."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

import headrace
from headrace.worker.config import WorkerSettings
from headrace.worker.metrics import Metrics
from headrace.worker.runtime import Runtime
from headrace.worker.startup import prepare
from headrace_api.worker_config import WorkerConfig
from tests.support import scratch
from tests.support.redis_servers import RedisServer

STREAM, GROUP = "flights", "delays"
DEAD = "headrace:{flights}:dead:flights"
PARKED = b"headrace:parked"
WAIT_SECONDS = 30.0

DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")

DELIVERY = {
    "handlerTimeout": "5s",
    "maxRetries": 2,
    "maxCrashes": 1,
    "minIdle": "1s",
    "backoff": {"initial": "10ms", "max": "50ms"},
}


def config(server: RedisServer, **changes: Any) -> dict[str, Any]:
    """A worker's configuration as the operator writes it; `delivery` is merged."""
    delivery = {**DELIVERY, **changes.pop("delivery", {})}
    return {
        "namespace": "airport",
        "pipeline": "flights",
        "group": GROUP,
        "consumerGroup": GROUP,
        "stream": STREAM,
        "redis": {"endpoints": [server.endpoint]},
        "deadLetter": {"stream": DEAD, "maxLength": 100000},
        "delivery": delivery,
        "owner": {"key": "airport/flights", "uid": "uid-1"},
        **changes,
    }


class Stage:
    """A Redis with one stream, and what a test wants to know of it."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.redis = redis.Redis(port=server.port)
        self.redis.flushall()

    def send(self, *payloads: Any, type: str = "flight.landed", version: int = 1) -> list[bytes]:
        pipeline = self.redis.pipeline(transaction=False)
        for payload in payloads:
            body = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
            pipeline.xadd(STREAM, {"type": type, "version": version, "payload": body})
        return pipeline.execute()

    @property
    def pending(self) -> int:
        groups = {group["name"]: group for group in self.redis.xinfo_groups(STREAM)}
        return int(groups[GROUP.encode()]["pending"])

    @property
    def settled(self) -> bool:
        """Everything was delivered and nothing is pending."""
        try:
            (group,) = self.redis.xinfo_groups(STREAM)
        except (redis.ResponseError, ValueError):
            return False
        last = self.redis.xinfo_stream(STREAM)["last-generated-id"]
        return group["pending"] == 0 and group["last-delivered-id"] == last

    @property
    def dead(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.redis.xrange(DEAD)]

    @property
    def consumers(self) -> set[bytes]:
        """Consumers of the group, the parked one apart."""
        return {one["name"] for one in self.redis.xinfo_consumers(STREAM, GROUP)} - {PARKED}

    def pending_of(self, consumer: bytes) -> int:
        consumers = self.redis.xinfo_consumers(STREAM, GROUP)
        return sum(one["pending"] for one in consumers if one["name"] == consumer)


def runtime_of(stage: Stage, app: headrace.App, **changes: Any) -> Runtime:
    """A worker in this process that does nothing yet."""
    told = WorkerConfig.model_validate(config(stage.server, **changes))
    return Runtime(WorkerSettings.of(told), app, Metrics())


@contextlib.asynccontextmanager
async def worker(stage: Stage, app: headrace.App, **changes: Any) -> AsyncIterator[Runtime]:
    """A worker in this process, reading; stopped at the end as on SIGTERM."""
    runtime = runtime_of(stage, app, **changes)
    runtime.start()
    await prepare(runtime)
    runtime.read()
    try:
        yield runtime
    finally:
        await runtime.stop(2.0)


class WorkerProcess:
    """`headrace worker` (or another command) with handlers of its own, as a process."""

    def __init__(
        self,
        directory: Path,
        written: dict[str, Any],
        pod: str,
        *command: str,
        within: Sequence[str] = (),
    ) -> None:
        """`within`: a command that ends by running its further arguments."""
        self.directory = directory
        (directory / "worker.json").write_text(json.dumps(written))
        self.log = directory / f"{pod}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*within, *DIES_WITH_US, sys.executable, "-m", "headrace", *command],
                env={
                    **os.environ,
                    "HEADRACE_CONFIG": str(directory / "worker.json"),
                    "HEADRACE_POD": pod,
                    "EFFECTS": str(directory / "effects"),
                },
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        return self.log.read_text()


class Workers:
    """Starts worker processes that share one handler file; all end with the test."""

    def __init__(self, stage: Stage, handlers: str, **changes: Any) -> None:
        self.directory = scratch.directory("worker")
        # It goes with this object: tests look into it when all workers have ended.
        self._removal = weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        (self.directory / "handlers.py").write_text(PRELUDE + textwrap.dedent(handlers))
        self.written = config(
            stage.server, handler="handlers:app", codeDir=str(self.directory), **changes
        )
        self.started: list[WorkerProcess] = []

    def start(self, pod: str = "pod-a", *command: str, within: Sequence[str] = ()) -> WorkerProcess:
        """`within`: see WorkerProcess."""
        told = command or ("worker", "--port", "0")
        one = WorkerProcess(self.directory, self.written, pod, *told, within=within)
        self.started.append(one)
        return one

    def quicken(self) -> None:
        """Let workers started from now on run without the waits that events ask for."""
        handlers = self.directory / "handlers.py"
        handlers.write_text(handlers.read_text().replace('event.get("seconds", 0)', "0"))

    @property
    def effects(self) -> list[str]:
        """Lines that handlers appended, outside of Redis."""
        path = self.directory / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def close(self, *, keep: bool = False) -> None:
        """`keep`: what they logged."""
        for one in self.started:
            if one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)
                one.kill()
        if keep:
            self._removal.detach()
            print(f"the workers' logs are in {self.directory}")


@contextlib.contextmanager
def workers(stage: Stage, handlers: str, **changes: Any) -> Iterator[Workers]:
    """Worker processes for the handlers given as source text. Logs of a test that fails stay."""
    group = Workers(stage, handlers, **changes)
    try:
        yield group
    except BaseException:
        group.close(keep=True)
        raise
    group.close()


PRELUDE = """
import asyncio, os, time
import headrace

app = headrace.App()

def effect(line):
    with open(os.environ["EFFECTS"], "a") as effects:
        effects.write(f"{line}\\n")
"""

WAITING = """
    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        effect(f"start {event['n']} {ctx.consumer}")
        await asyncio.sleep(event.get("seconds", 0))
        effect(f"end {event['n']} {ctx.consumer}")
"""
"""Handlers that wait as long as their event says."""


def numbers(effects: list[str], word: str) -> Counter[int]:
    """How often each event stands in the effects that begin with this word."""
    return Counter(int(line.split()[1]) for line in effects if line.startswith(word))
