"""What each fault does to the running world."""

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

MAX_WORKERS = 4
NO_LIMIT = ("CONFIG", "SET", "maxmemory", "0")
BLOCK = """
if redis.call('TYPE', KEYS[1]).ok == 'string' then return end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end
redis.call('SET', KEYS[1], 'in the way')
"""
FREE = """
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return end
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) end
"""


@dataclass
class Faults:
    """Carries out faults on a world."""

    world: World
    seed: int
    struck: dict[str, int] = field(default_factory=dict)
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
        """A worker at work, while others are; None when that does not come about."""
        fleet = self.world.fleet
        if not fleet.wait_at_work(self.world.least_at_work):
            return None
        return self._random.choice(fleet.at_work)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

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
        if len(fleet.running) > self.world.least_at_work and (victim := self._victim()):
            fleet.terminate(victim)

    def pause_worker(self) -> None:
        """A zombie: silent for longer than minIdle, then it goes on as if nothing had been."""
        fleet = self.world.fleet
        if victim := self._victim():
            fleet.pause(victim)
            self._later(
                self.world.min_idle * self._random.uniform(0.5, 1.8), lambda: fleet.resume(victim)
            )

    def there_and_back(self) -> None:
        """A worker falls silent, another takes what it ran and dies, and it gets that back while
        it still runs it."""
        fleet = self.world.fleet
        if not (victim := self._victim()):
            return
        fleet.pause(victim)
        time.sleep(1.5 * self.world.min_idle)
        for other in list(fleet.running):
            fleet.kill(other)
        fleet.resume(victim)
        time.sleep(1.8 * self.world.min_idle)
        fleet.start()

    # Network

    def cut_connections(self) -> None:
        self.world.proxy.cut_all()

    def cut_requests(self) -> None:
        self.world.proxy.cut_requests()

    def cut_replies(self) -> None:
        self.world.proxy.cut_replies()

    def withhold_replies(self) -> None:
        self.world.proxy.withhold_replies()

    def stall(self) -> None:
        seconds = self.world.min_idle * self._random.uniform(0.2, 1.8)
        self.world.proxy.stall(seconds)

    # Server

    def kill_broker(self) -> None:
        self.world.broker.kill()
        time.sleep(self._random.uniform(0.0, 0.4))
        self.world.broker.start()

    def slow_command(self) -> None:
        seconds = self._random.uniform(0.1, 1.2) * self.world.min_idle

        def sleep() -> None:
            with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
                client.execute_command("DEBUG", "SLEEP", f"{seconds:.2f}")

        self._later(0.0, sleep)

    def script_flush(self) -> None:
        with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
            client.script_flush()

    def fill_memory(self) -> None:
        """Every write that needs memory is refused for a while."""
        self._try("CONFIG", "SET", "maxmemory", "1")
        self._later(self._random.uniform(0.3, 1.5), lambda: self._try(*NO_LIMIT))

    def block_dead_letters(self) -> None:
        """The dead letters' key holds another type for a while."""
        dead, aside = self.world.keys.dead_letters, "{crash}:aside"
        self._try("EVAL", BLOCK, "2", dead, aside)
        self._later(
            self._random.uniform(0.3, 1.5), lambda: self._try("EVAL", FREE, "2", dead, aside)
        )

    def _try(self, *command: str) -> None:
        """Send a command, again and again while the server is away."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
                client.execute_command(*command)
                return
            time.sleep(0.05)

    # Trimming

    def trim_safe(self) -> None:
        """`headrace trim` down to almost nothing, while workers are at work."""
        self.world.fleet.trim(self.world.trim_config)

    def trim_force(self) -> None:
        """Remove a part of what is in the stream, read or not, as policy Force may."""
        with self.world.broker.client() as client:
            sent = self.world.sender.sent
            below = max(self.trimmed_below, sent - self._random.randint(20, 200))
            self.trimmed_below = below
            client.xtrim(self.world.stream, minid=self.world.sender.entry_id(below).decode())
