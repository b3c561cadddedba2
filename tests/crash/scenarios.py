"""Which faults strike in which kind of run, and what a run of that kind must hold to. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.crash.workload import Mix

MIN_IDLE = 2.0
USUAL = Mix()
EMITTING = {"plain": 40, "emit": 40, "sync": 12, "batch": 5, "sync_batch": 3}
IN_THREADS = {"plain": 40, "emit": 10, "sync": 40, "batch": 5, "sync_batch": 3, "reject": 2}


@dataclass(frozen=True)
class Fault:
    """Strike `name` so many seconds after the run began."""

    at: float
    name: str


@dataclass(frozen=True)
class Scenario:
    """`faults`: name -> weight. The rest says what kind of run it is, and which bounds can be
    stricter, or cannot."""

    faults: Mapping[str, int]
    mix: Mix = USUAL
    calm: bool = False
    """Nobody dies and nobody falls silent: every event is handled exactly once."""
    timed: bool = False
    """Only deaths of workers delay anything: redelivery has its bound."""
    prompt: float | None = None
    """Seconds within which what does not emit begins."""
    waits: bool = False
    """Its faults take seconds each, in which nothing much happens."""
    fsync: str = "always"
    handler_timeout: float = 10.0
    min_idle: float = MIN_IDLE
    rate: float | None = None
    """Events a second, in place of the run's, where each takes much of the machine."""
    share: float = 1.0
    """Of the run's events, where each is much work."""
    pause: float | None = None
    """Seconds between faults on average, in place of the run's, where each takes longer."""
    link: float = math.inf
    """Bytes a second of each connection."""
    lifespans: Sequence[str] = ("short 0",)
    """What each worker but the first ones draws its lifespan from."""
    produces: bool = False
    """Producers that fork send to a stream of their own meanwhile, over the same connections."""


KILLS = {"kill_worker": 6, "kill_and_restart_in_pod": 3, "roll_worker": 2}
SCALE = {"scale_up": 1, "scale_down": 1}
WORKERS = {**KILLS, **SCALE, "pause_worker": 4}
NETWORK = {
    "cut_connections": 4,
    "cut_requests": 4,
    "cut_replies": 3,
    "hold_commits": 1,
    "withhold_replies": 6,
    "stall": 2,
    "slow_link": 1,
}
SERVER = {"kill_broker": 3, "slow_command": 2, "script_flush": 2, "fail_over": 1}
REFUSALS = {"fill_memory": 2, "block_dead_letters": 1}
DESTROYS = {"destroy_group": 3, "delete_stream": 2, "flush_all": 2}
SCENARIOS: dict[str, Scenario] = {
    "kills": Scenario(KILLS, timed=True),
    "rolling": Scenario({"roll_worker": 4, "scale_up": 2, "scale_down": 2}, calm=True),
    "workers": Scenario(WORKERS),
    "network": Scenario({**NETWORK, "kill_worker": 2}, produces=True),
    "broker": Scenario({**SERVER, "kill_worker": 2}, produces=True),
    "refusals": Scenario({**REFUSALS, "kill_worker": 2, "roll_worker": 1}),
    "safe": Scenario({**KILLS, "trim_safe": 4}, timed=True),
    "force": Scenario({**KILLS, "trim_force": 6, "withhold_replies": 2}, Mix(slow=0.05)),
    "in_flight": Scenario(
        {"trim_force": 3, "withhold_replies": 4, "cut_requests": 2}, Mix(EMITTING, slow=0.05)
    ),
    "held_commits": Scenario({"trim_force": 3, "hold_commits": 1}, Mix(EMITTING, slow=0.05)),
    "everysec": Scenario({**SERVER, **KILLS, "kill_broker": 6}, fsync="everysec"),
    "zombies": Scenario(
        {"pause_worker": 1}, Mix(slow=0.2, slow_seconds=(0.7,)), rate=100.0, share=0.4, pause=1.5
    ),
    "there_and_back": Scenario({"there_and_back": 1}, Mix(slow=0.01), waits=True),
    "everything": Scenario({**WORKERS, **NETWORK, **SERVER, **REFUSALS, "trim_safe": 1}),
    "failover": Scenario({"fail_over": 1}, Mix(slow=0.0), rate=150.0, pause=12.0, produces=True),
    "destroyed": Scenario({**DESTROYS, "kill_worker": 1}, Mix(slow=0.002), rate=1500.0, pause=0.4),
    "destroyed_full": Scenario(
        {"destroy_group": 1},
        Mix(slow=0.7, slow_seconds=(0.5, 1.0)),
        rate=120.0,
        share=0.4,
        pause=4.0,
    ),
    "endings": Scenario({"kill_worker": 1}, Mix(slow=0.0, odd=True), handler_timeout=2.0),
    "hangs": Scenario(
        {"hang": 1},
        Mix(IN_THREADS, slow=0.0),
        handler_timeout=1.0,
        rate=300.0,
        pause=3.0,
        waits=True,
    ),
    "payloads": Scenario(
        {"kill_worker": 2, "roll_worker": 1, "slow_link": 1, "ask_backlog": 4, "trim_safe": 1},
        Mix(slow=0.0, sized=True),
        min_idle=6.0,
        rate=20.0,
        share=0.08,
        link=3_000_000.0,
        waits=True,
    ),
    "lifespans": Scenario(
        {"roll_worker": 3, "kill_worker": 1},
        Mix(slow=0.0),
        handler_timeout=1.0,
        rate=60.0,
        share=0.4,
        pause=3.0,
        lifespans=("short 0", "short 0.5", "fails 0.2", "fails_last 0", "long 18"),
        waits=True,
    ),
    "one_output": Scenario(
        {"block_output": 1},
        Mix({"plain": 50, "emit": 50}, slow=0.0),
        rate=300.0,
        pause=12.0,
        prompt=5.0,
        waits=True,
    ),
}


def schedule(seed: int, name: str, seconds: float, pause: float) -> list[Fault]:
    """Faults over `seconds`, on average one each `pause` seconds; the same for the same arguments.
    A scenario with a pause of its own has at least one, early enough to show."""
    rng = random.Random(f"{seed}/{name}")
    weights = SCENARIOS[name].faults
    faults = []
    pause = SCENARIOS[name].pause or pause
    at = min(rng.expovariate(1 / pause), seconds / 4)
    while at < seconds:
        faults.append(Fault(at, rng.choices(list(weights), list(weights.values()))[0]))
        at += rng.expovariate(1 / pause)
    return faults
