"""One crash run: a server, a proxy, workers, a sender, faults, and what is left at the end."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import redis

from headrace.streams.keys import PARKED, GroupKeys, StreamKeys
from headrace_api.v1alpha1 import Backoff, Delivery, Output
from headrace_api.worker_config import (
    DeadLetterTarget,
    Owner,
    RedisTarget,
    TrimConfig,
    WorkerConfig,
)
from tests.crash.broker import Broker
from tests.crash.checker import Circumstances, Ending, Report, check, parse
from tests.crash.faults import Faults
from tests.crash.fleet import Fleet
from tests.crash.proxy import Proxy
from tests.crash.results import Result
from tests.crash.scenarios import SCENARIOS, Scenario, schedule
from tests.crash.sender import Sender, events
from tests.crash.witness import Witness
from tests.support.redis_servers import KINDS

STREAM = "{crash}:events"
OUTPUT = "{crash}:out"
GROUP = "group"
MIN_IDLE = 2.0
RECLAIM_INTERVAL = MIN_IDLE / 4 * 1.25
"""The longest pause between two claims of idle entries (headrace.worker.intake.claims)."""
WORKERS = 3
LEAST_AT_WORK = 2
"""What a fault that ends a worker finds at work, that worker included."""
TRIM_LENGTH = 10
AHEAD_SECONDS = 0.3
SLOW_SECONDS = (0.35 * MIN_IDLE, 0.35 * MIN_IDLE, 1.3 * MIN_IDLE)
SHUTDOWN_SECONDS = 20.0


@dataclass(frozen=True)
class Run:
    """What makes a run: the same run strikes the same faults on the same events."""

    seed: int
    scenario: str
    kind: str = "redis"
    events: int = 5_000
    rate: float = 800.0
    fault_pause: float = 0.8
    slow: float | None = None
    """Share of slow events, in place of the scenario's."""
    slow_seconds: tuple[float, ...] | None = None
    """How long slow events take, each as likely; in place of the scenario's."""
    drain_seconds: float = 180.0
    """What is left may be hundreds of suspects, each alone in its worker, and some of them slow."""

    @property
    def of(self) -> Scenario:
        return SCENARIOS[self.scenario]


class World:
    """Everything of one run that a fault may touch."""

    stream = STREAM
    min_idle = MIN_IDLE

    def __init__(self, run: Run, package: Path | None = None) -> None:
        """`package`: a directory with another `headrace` to run, for mutants."""
        self.run = run
        # What dead workers held are suspects, which a worker runs one by one, at two synced writes
        # each: left alone with three workers' worth, it has no room for the last of them in time.
        self.workers = WORKERS + run.of.timed
        self.least_at_work = LEAST_AT_WORK + run.of.timed
        self.directory = Path(tempfile.mkdtemp(prefix="headrace-crash-"))
        self.record = self.directory / "record"
        self.broker = Broker(self.directory, KINDS[run.kind](), fsync=run.of.fsync, seed=run.seed)
        self.broker.start()
        self.proxy = Proxy(self.broker.port, run.seed)
        port = self.proxy.start()
        self.keys = StreamKeys(STREAM).for_group(GROUP)
        configuration = self.directory / "worker.json"
        configuration.write_text(_config(port, self.keys).canonical_json())
        environment = {
            "HEADRACE_CONFIG": str(configuration),
            "CRASH_RECORD": str(self.record),
            "CRASH_OUTPUT": OUTPUT,
            "HEADRACE_LOG_FORMAT": "json",
        }
        if package is not None:
            environment["PYTHONPATH"] = str(package)
        self.fleet = Fleet(self.directory, environment)
        slow = run.of.slow if run.slow is None else run.slow
        # A worker claims no more than it has room for, and a suspect runs alone: the bound on
        # redelivery holds where that does not take longer than the bound's slack.
        slow_seconds = SLOW_SECONDS[:1] if run.of.timed else SLOW_SECONDS
        self.sender = Sender(
            self.broker,
            STREAM,
            events(run.seed, run.events, slow, run.slow_seconds or slow_seconds),
            run.rate,
        )
        self.witness = Witness(self.broker, STREAM, GROUP)
        self.faults = Faults(self, run.seed)
        self.trim_config = TrimConfig(
            redis=RedisTarget(endpoints=(f"127.0.0.1:{self.broker.port}",)),
            stream=STREAM,
            groups=(GROUP,),
            max_length=TRIM_LENGTH,
        ).canonical_json()

    def play(self) -> Report:
        """Send, strike, mend, wait until nothing is left to do, and check."""
        for _ in range(self.workers):
            self.fleet.start()
        if not self.fleet.wait_at_work(self.workers):
            raise RuntimeError(f"the workers did not start; their logs are in {self.directory}")
        self.sender.start()
        self.witness.start()
        self._strike()
        self.sender.join()
        self.faults.settle()
        while len(self.fleet.running) < 2:
            self.fleet.start()
        drained = self._drain()
        late = self.fleet.shut(SHUTDOWN_SECONDS)
        self.witness.stop()
        history = {"owners": self.witness.owners, "deaths": self.fleet.deaths}
        (self.directory / "history.json").write_text(json.dumps(history))
        report = self._check()
        if not drained:
            report.broke("pending", f"not drained within {self.run.drain_seconds:.0f} s")
        for pod in late:
            report.broke("shutdown", f"{pod} did not end within {SHUTDOWN_SECONDS:.0f} s")
        for end in self.fleet.exits:
            report.broke("exits", end)
        for defect in self.fleet.said():
            report.broke("defects", defect)
        return report

    def _strike(self) -> None:
        """Faults in their places among the events, so that each meets a worker at work: the sender
        waits for faults that take long, and goes on while one strikes."""
        run = self.run
        faults = schedule(run.seed, run.scenario, run.events / run.rate * 1.3, run.fault_pause)
        at = 0.0
        for fault in faults:
            place = int(fault.at * run.rate)
            self.sender.allowed = place + int(run.rate * AHEAD_SECONDS)
            while self.sender.sent < place and not self.sender.done:
                time.sleep(0.01)
            if self.sender.done:
                time.sleep(fault.at - at)
            at = fault.at
            self.fleet.replace_ended()
            self.faults.strike(fault.name)
        self.sender.allowed = run.events

    def close(self, *, keep: bool = False) -> None:
        """End every process; the directory stays when `keep`."""
        with contextlib.suppress(Exception):
            self.sender.abort()
        self.witness.stop()
        self.fleet.kill_all()
        self.proxy.stop()
        self.broker.kill()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _drain(self) -> bool:
        deadline = time.monotonic() + self.run.drain_seconds
        while time.monotonic() < deadline:
            self.fleet.replace_ended()
            with contextlib.suppress(redis.RedisError), self.broker.client() as client:
                if self._left(client) == (0, 0):
                    return True
            time.sleep(0.1)
        return False

    def _left(self, client: redis.Redis) -> tuple[int, int | None]:
        """(pending, unread) of the group; unread None when the server cannot say."""
        groups = client.xinfo_groups(STREAM)
        if not groups:
            return 0, None
        group = groups[0]
        last = group["last-delivered-id"].decode()
        unread = len(client.xrange(STREAM, min=f"({last}", count=10))
        return group["pending"], unread

    def _check(self) -> Report:
        with self.broker.client() as client:
            ending = self._ending(client)
        lines = parse(self.record.read_text()) if self.record.exists() else []
        scenario = self.run.of
        return check(
            self.sender.events,
            lines,
            ending,
            Circumstances(
                deaths=self.fleet.deaths,
                settled=self.witness.settled,
                owners=self.witness.owners,
                trimmed_below=self.faults.trimmed_below,
                trims_safely="trim_safe" in scenario.faults,
                broker_forgets=scenario.fsync != "always",
                calm=scenario.calm,
                redelivery_bound=MIN_IDLE + RECLAIM_INTERVAL + 1.0 if scenario.timed else None,
            ),
        )

    def _ending(self, client: redis.Redis) -> Ending:
        pending, lag = self._left(client)
        consumers = {c["name"].decode() for c in client.xinfo_consumers(STREAM, GROUP)}
        leaked = set()
        for key in (self.keys.retry, self.keys.failures):
            if client.exists(key):
                leaked.add(f"{key}: {client.object('encoding', key)!r} is left")
        known = {STREAM, OUTPUT, self.keys.state, self.keys.replay, self.keys.dead_letters}
        known |= {self.keys.retry, self.keys.failures}
        leaked |= {
            f"{key.decode()} is unknown" for key in client.scan_iter() if key.decode() not in known
        }
        flushes = {name.decode() for name in client.hkeys(self.keys.state)}
        leaked |= {
            f"field {name} of no consumer is left in {self.keys.state}"
            for name in flushes
            if name.startswith("flush:") and name.removeprefix("flush:") not in consumers
        }
        # A server that forgets what it had confirmed may forget that a consumer was deleted.
        ended_well = {
            w.pod
            for w in self.fleet.retired
            if w.process.returncode == 0 and self.run.of.fsync == "always"
        }
        leaked |= {
            f"consumer {name} of a worker that ended well is left"
            for name in consumers - {PARKED}
            if name.rpartition("-")[0] in ended_well - self.fleet.deaths.keys()
        }
        return Ending(
            present=frozenset(
                json.loads(fields[b"payload"])["seq"] for _, fields in client.xrange(STREAM)
            ),
            dead=Counter(_seq(fields, b"f:payload") for _, fields in client.xrange(self.dead)),
            outputs=Counter(_seq(fields, b"payload") for _, fields in client.xrange(OUTPUT)),
            pending=pending,
            lag=lag,
            leaked=frozenset(leaked),
        )

    @property
    def dead(self) -> str:
        return self.keys.dead_letters


def play(run: Run, *, package: Path | None = None, keep: bool = False) -> Result:
    """One run from its server's start to its end; its records stay when a bound is broken."""
    began = time.monotonic()
    world = World(run, package)
    try:
        report = world.play()
        keep = keep or (package is None and bool(report.violations))
    finally:
        world.close(keep=keep)
    if keep:
        print(f"seed {run.seed} {run.scenario} {run.kind}: left in {world.directory}")
    return Result.of(run, report, time.monotonic() - began)


def _seq(fields: dict[bytes, bytes], name: bytes) -> int:
    return int(json.loads(fields[name])["seq"]) if name in fields else -1


def _config(port: int, keys: GroupKeys) -> WorkerConfig:
    return WorkerConfig(
        namespace="crash",
        pipeline="crash",
        group=GROUP,
        consumer_group=GROUP,
        stream=STREAM,
        redis=RedisTarget(endpoints=(f"127.0.0.1:{port}",)),
        dead_letter=DeadLetterTarget(stream=keys.dead_letters, max_length=1_000_000),
        handler="tests.crash.handlers:app",
        concurrency=16,
        batch_size=50,
        delivery=Delivery(
            handler_timeout=timedelta(seconds=10),
            max_retries=5,
            max_crashes=1000,
            backoff=Backoff(initial=timedelta(milliseconds=50), max=timedelta(milliseconds=300)),
            min_idle=timedelta(seconds=MIN_IDLE),
        ),
        outputs=(Output(stream=OUTPUT),),
        owner=Owner(key="crash/crash", uid="crash"),
    )
