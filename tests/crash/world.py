"""One crash run: a server, a proxy, workers, a sender, faults, and what is left at the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from pathlib import Path

import redis

from tests.crash import outcome, setup
from tests.crash.bounds import watched
from tests.crash.broker import Broker
from tests.crash.checker import check
from tests.crash.failover import Pair
from tests.crash.faults import Faults
from tests.crash.fleet import Fleet
from tests.crash.probes import Probes
from tests.crash.producers import Producers
from tests.crash.proxy import Proxy
from tests.crash.report import Circumstances, Line, Report, parse
from tests.crash.results import Result
from tests.crash.run import Run
from tests.crash.scenarios import schedule
from tests.crash.sender import Sender
from tests.crash.setup import GROUP, KEYS, OUTPUT, PRODUCED, STREAM
from tests.crash.slow_scripts import SlowScripts
from tests.crash.topology import Discovery
from tests.crash.witness import Witness
from tests.crash.workload import MAX_BYTES, events
from tests.support import scratch
from tests.support.redis_servers import KINDS

WORKERS = 3
LEAST_AT_WORK = 2
"""What a fault that ends a worker finds at work, that worker included."""
AHEAD_SECONDS = 0.3
START_SECONDS = 180.0
"""Of the first workers, on a busy machine."""
SHUTDOWN_SECONDS = 20.0
CALM_SECONDS = 1.5
"""From the last outage to the end: a worker that ends during one leaves its consumer behind."""


class World:
    """Everything of one run that a fault may touch."""

    stream, output, group, keys = STREAM, OUTPUT, GROUP, KEYS

    def __init__(self, run: Run, package: Path | None = None) -> None:
        """`package`: a directory with another `headrace` to run, for mutants."""
        self.run = run
        scenario = run.of
        self.min_idle = scenario.min_idle
        # What dead workers held are suspects, which a worker runs one by one, at two synced writes
        # each: left alone with three workers' worth, it has no room for the last of them in time.
        self.workers = WORKERS + scenario.timed
        self.least_at_work = LEAST_AT_WORK + scenario.timed
        self.directory = scratch.directory("crash")
        self.hang = self.directory / "hang"
        # First of all, so that no server is given the port that it takes.
        self.proxy = Proxy(0, run.seed, bytes_per_second=scenario.link)
        self.proxy.start()
        self.broker = Broker(
            self.directory,
            KINDS[run.kind](),
            fsync=scenario.fsync,
            seed=run.seed,
            users=setup.users(run.topology.rights),
        )
        self.proxy.target_port = self.broker.port
        self.broker.options = run.topology.options(self.proxy.port)
        self.broker.ready = run.topology.ready
        self.broker.start()
        self.discovery = Discovery(run.topology, run.kind, self.proxy.port)
        self.discovery.start()
        self.pair = Pair(self.broker, self.proxy, run.topology)
        environment = setup.write(self.directory, self.discovery, scenario)
        if package is not None:
            environment["PYTHONPATH"] = f"{package}:{Path.cwd()}"
        self.fleet = Fleet(self.directory, environment, seed=run.seed)
        self.producers = Producers(self.directory, environment, PRODUCED)
        self.probes = Probes(self.fleet)
        self.slow_scripts = SlowScripts(
            {**os.environ, **environment},
            megabytes=MAX_BYTES / 1e6 if scenario.mix.sized else 0.0,
        )
        self.sender = Sender(
            self.broker,
            STREAM,
            events(run.seed, run.count, scenario.mix),
            run.sent_per_second,
        )
        self.witness = Witness(self.broker, STREAM, GROUP, self._each_look)
        self.faults = Faults(self, run.seed)

    @property
    def trim_config(self) -> str:
        return setup.trim_config(self.broker.port)

    def play(self) -> Report:
        """Send, strike, mend, wait until nothing is left to do, and check."""
        for _ in range(self.workers):
            self.fleet.start()
        if not self.fleet.wait_at_work(self.workers, START_SECONDS):
            raise RuntimeError(f"the workers did not start; their logs are in {self.directory}")
        self.fleet.lifespans = self.run.of.lifespans
        if self.run.of.produces:
            self.producers.start(self.discovery.url("producer:secret"), self.broker.port)
        self.sender.start()
        self.witness.start()
        self.probes.start()
        self._strike()
        self.sender.join()
        self.faults.settle()
        # The last one that was started shall have its whole start.
        time.sleep(max(float(kind.split()[1]) for kind in self.run.of.lifespans))
        while len(self.fleet.running) < 2:
            self.fleet.start()
        sent_badly = self.producers.wait()
        drained = self._drain()
        time.sleep(CALM_SECONDS)
        self.probes.stop()
        late = self.fleet.shut(SHUTDOWN_SECONDS)
        self.witness.stop()
        report = self._check()
        if not drained:
            report.broke("pending", f"not drained within {self.run.drain_seconds:.0f} s")
        for pod in late:
            report.broke("shutdown", f"{pod} did not end within {SHUTDOWN_SECONDS:.0f} s")
        for sentence in sent_badly:
            report.broke("producers", sentence)
        return report

    def gather_slow_scripts(self) -> None:
        """Take what the server's SLOWLOG holds, before it is lost."""
        with contextlib.suppress(redis.RedisError), self.broker.client() as client:
            self.slow_scripts.gather(client)

    def close(self, *, keep: bool = False) -> None:
        """End every process; the directory stays when `keep`."""
        with contextlib.suppress(Exception):
            self.sender.abort()
        self.witness.stop()
        self.probes.stop()
        self.producers.close()
        self.fleet.kill_all()
        self.discovery.stop()
        self.proxy.stop()
        self.pair.close()
        self.broker.kill()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _each_look(self) -> None:
        self.broker.note_size()
        self.fleet.note_lives()
        if (process := self.broker.process) is not None:
            self.slow_scripts.note_wait(process.pid)

    def _strike(self) -> None:
        """Faults in their places among the events, so that each meets a worker at work: the sender
        waits for faults that take long, and goes on while one strikes."""
        run, rate = self.run, self.run.sent_per_second
        at = 0.0
        for fault in schedule(run.seed, run.scenario, run.count / rate * 1.3, run.fault_pause):
            place = int(fault.at * rate)
            self.sender.allowed = place + max(1, int(rate * AHEAD_SECONDS))
            while self.sender.sent < place and not self.sender.done:
                time.sleep(0.01)
            if self.sender.done:
                time.sleep(fault.at - at)
            at = fault.at
            self.fleet.replace_ended()
            self.faults.strike(fault.name)
        self.sender.allowed = run.count

    def _drain(self) -> bool:
        deadline = time.monotonic() + self.run.drain_seconds
        while time.monotonic() < deadline:
            self.fleet.replace_ended()
            with contextlib.suppress(redis.RedisError), self.broker.client() as client:
                if outcome.left(client, KEYS) == (0, 0):
                    return True
            time.sleep(0.1)
        return False

    def _check(self) -> Report:
        scenario, faults = self.run.of, self.faults
        # A server that forgets what it had confirmed may forget that a consumer was deleted.
        ended_well = {
            w.pod
            for w in self.fleet.retired
            if w.process.returncode == 0 and scenario.fsync == "always"
        }
        self.gather_slow_scripts()
        with self.broker.client() as client:
            ended_well -= self.fleet.deaths.keys()
            ending = outcome.ending(client, KEYS, OUTPUT, ended_well, orphaned=faults.repeats)
            produced = self.producers.check(client) if scenario.produces else []
            refused = outcome.refused(client)
        lines = self._lines()
        # A claim comes every quarter of minIdle, with jitter.
        bound = self.min_idle + self.min_idle / 4 * 1.25 + 1.0
        report = check(
            self.sender.events,
            lines,
            ending,
            Circumstances(
                deaths=self.fleet.deaths,
                settled=self.witness.settled,
                owners=self.witness.owners,
                removed_below=faults.removed_below,
                repeats=faults.repeats,
                refused_outputs=faults.refused_outputs,
                trims_safely="trim_safe" in scenario.faults,
                broker_forgets=scenario.fsync != "always",
                calm=scenario.calm,
                sent_at=self.sender.sent_at,
                prompt=scenario.prompt,
                redelivery_bound=bound if scenario.timed else None,
            ),
        )
        for kind, sentence in produced:
            report.broke(kind, sentence)
        for sentence in refused:
            report.broke("rights", sentence)
        watched(self, lines, report)
        return report

    def _lines(self) -> list[Line]:
        record = self.directory / "record"
        return parse(record.read_text()) if record.exists() else []


def play(run: Run, *, package: Path | None = None, keep: bool = False) -> Result:
    """One run from its server's start to its end; its records stay when a bound is broken."""
    began = time.monotonic()
    world = World(run, package)
    try:
        report = world.play()
        keep = keep or (package is None and bool(report.violations))
        if keep:
            history = {"owners": world.witness.owners, "deaths": world.fleet.deaths}
            (world.directory / "history.json").write_text(json.dumps(history))
    finally:
        world.close(keep=keep)
    if keep:
        print(f"seed {run.seed} {run.scenario} {run.kind}: left in {world.directory}")
    return Result.of(run, report, time.monotonic() - began)
