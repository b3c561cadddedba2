"""What all faults share: the world, seeded chance, and a note of how long each lasts."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import redis

from tests.crash.progress import Span

if TYPE_CHECKING:
    from tests.crash.world import World


@dataclass
class Base:
    """Carries out faults, by their names, on a world."""

    world: World
    seed: int
    struck: dict[str, int] = field(default_factory=dict)
    outages: list[Span] = field(default_factory=list)
    """When nobody could get on."""
    removed_below: int = 0
    """Sequence number below which events were removed from the stream by force."""
    repeats: bool = False
    """The group's memory was destroyed: what it had settled of late may come again."""
    refused_outputs: bool = False
    """An output could not be written for a while, nor could it ever, as far as a worker knows."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._timers: list[threading.Timer] = []

    def strike(self, name: str) -> None:
        began = time.time()
        getattr(self, name)()
        self.struck[name] = self.struck.get(name, 0) + 1
        self.outages.append(Span(began, time.time()))

    def settle(self) -> None:
        """Let what was delayed happen, and end all faults."""
        for timer in self._timers:
            timer.join()

    def out_for(self, seconds: float) -> None:
        """From now on, for so long, nobody can get on."""
        self.outages.append(Span(time.time(), time.time() + seconds))

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _try(self, *command: str) -> None:
        """Send a command, again and again while the server is away."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
                client.execute_command(*command)
                return
            time.sleep(0.05)
