"""Random faults from a seed: a pure schedule, and what each fault does to the running world."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import redis

if TYPE_CHECKING:
    from tests.crash.fleet import Worker
    from tests.crash.world import World

MIN_WORKERS = 2
MAX_WORKERS = 4


@dataclass(frozen=True)
class Fault:
    """Strike `name` so many seconds after the run began."""

    at: float
    name: str


KILLS = {"kill_worker": 6, "kill_and_restart_in_pod": 3, "roll_worker": 2}
WORKERS = {**KILLS, "pause_worker": 4, "scale_up": 1, "scale_down": 1}
NETWORK = {"cut_connections": 4, "cut_requests": 4, "withhold_replies": 6, "stall": 2}
SERVER = {"kill_broker": 3, "slow_command": 2, "script_flush": 2}
SCENARIOS: dict[str, dict[str, int]] = {
    "kills": KILLS,
    "workers": WORKERS,
    "network": {**NETWORK, "kill_worker": 2},
    "broker": {**SERVER, "kill_worker": 2},
    "everything": {**WORKERS, **NETWORK, **SERVER},
    "force": {**KILLS, "trim_force": 6, "withhold_replies": 2},
    "everysec": {**SERVER, **KILLS, "kill_broker": 6},
}


def schedule(seed: int, scenario: str, seconds: float, pause: float) -> list[Fault]:
    """Faults over `seconds`, on average one each `pause`; the same for the same arguments."""
    rng = random.Random(f"{seed}/{scenario}")
    weights = SCENARIOS[scenario]
    faults = []
    at = rng.expovariate(1 / pause)
    while at < seconds:
        faults.append(Fault(at, rng.choices(list(weights), list(weights.values()))[0]))
        at += rng.expovariate(1 / pause)
    return faults


@dataclass
class Faults:
    """Carries out faults on a world. `broken` holds (from, to) Unix seconds without service."""

    world: World
    seed: int
    struck: dict[str, int] = field(default_factory=dict)
    broken: list[tuple[float, float]] = field(default_factory=list)
    trimmed_below: int = 0
    """Sequence number below which Force trimming removed events."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._timers: list[threading.Timer] = []

    def strike(self, name: str) -> None:
        getattr(self, name)()
        self.struck[name] = self.struck.get(name, 0) + 1

    def settle(self) -> None:
        """Let what was delayed happen, and end all faults."""
        for timer in self._timers:
            timer.join()

    def _victim(self) -> Worker | None:
        """A worker at work, while another one is; None when that does not come about."""
        fleet = self.world.fleet
        if not fleet.wait_at_work(MIN_WORKERS):
            return None
        return self._random.choice(fleet.at_work)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _outage(self, seconds: float) -> None:
        now = time.time()
        self.broken.append((now, now + seconds))

    # Workers

    def kill_worker(self) -> None:
        if victim := self._victim():
            self.world.fleet.kill(victim)
            self.world.fleet.start()

    def kill_and_restart_in_pod(self) -> None:
        if victim := self._victim():
            self.world.fleet.kill(victim)
            self.world.fleet.start(victim.pod)

    def roll_worker(self) -> None:
        if victim := self._victim():
            self.world.fleet.start()
            self.world.fleet.terminate(victim)

    def scale_up(self) -> None:
        if len(self.world.fleet.workers) < MAX_WORKERS:
            self.world.fleet.start()

    def scale_down(self) -> None:
        fleet = self.world.fleet
        if len(fleet.running) > MIN_WORKERS and (victim := self._victim()):
            fleet.terminate(victim)

    def pause_worker(self) -> None:
        """A zombie: silent for longer than minIdle, then it goes on as if nothing had been."""
        fleet = self.world.fleet
        if victim := self._victim():
            fleet.pause(victim)
            self._later(
                self.world.min_idle * self._random.uniform(0.5, 2.5), lambda: fleet.resume(victim)
            )

    # Network

    def cut_connections(self) -> None:
        self.world.proxy.cut_all()
        self._outage(0.5)

    def cut_requests(self) -> None:
        self.world.proxy.cut_requests()
        self._outage(0.5)

    def withhold_replies(self) -> None:
        self.world.proxy.withhold_replies()
        self._outage(0.5)

    def stall(self) -> None:
        seconds = self.world.min_idle * self._random.uniform(0.2, 1.8)
        self.world.proxy.stall(seconds)
        self._outage(seconds)

    # Server

    def kill_broker(self) -> None:
        began = time.time()
        self.world.broker.kill()
        time.sleep(self._random.uniform(0.0, 0.4))
        self.world.broker.start()
        self.broken.append((began, time.time() + 1.0))

    def slow_command(self) -> None:
        seconds = self._random.uniform(0.1, 1.2) * self.world.min_idle

        def sleep() -> None:
            with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
                client.execute_command("DEBUG", "SLEEP", f"{seconds:.2f}")

        self._outage(seconds)
        self._later(0.0, sleep)

    def script_flush(self) -> None:
        with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
            client.script_flush()

    def trim_force(self) -> None:
        """Remove a part of what is in the stream, read or not, as policy Force may."""
        with self.world.broker.client() as client:
            sent = self.world.sender.sent
            below = max(self.trimmed_below, sent - self._random.randint(20, 200))
            self.trimmed_below = below
            client.xtrim(self.world.stream, minid=self.world.sender.entry_id(below).decode())
