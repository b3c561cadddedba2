"""Which faults strike in which kind of run, and what a run of that kind must hold to. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Strike `name` so many seconds after the run began."""

    at: float
    name: str


@dataclass(frozen=True)
class Scenario:
    """`faults`: name -> weight. The rest says which bounds can be stricter, or cannot."""

    faults: Mapping[str, int]
    calm: bool = False
    """Nobody dies and nobody falls silent: every event is handled exactly once."""
    timed: bool = False
    """Only deaths of workers delay anything: redelivery has its bound."""
    waits: bool = False
    """Its faults take seconds each, in which nothing much happens."""
    fsync: str = "always"
    slow: float = 0.003
    """Share of events that take longer than minIdle."""


KILLS = {"kill_worker": 6, "kill_and_restart_in_pod": 3, "roll_worker": 2}
SCALE = {"scale_up": 1, "scale_down": 1}
WORKERS = {**KILLS, **SCALE, "pause_worker": 4}
NETWORK = {
    "cut_connections": 4,
    "cut_requests": 4,
    "cut_replies": 3,
    "withhold_replies": 6,
    "stall": 2,
}
SERVER = {"kill_broker": 3, "slow_command": 2, "script_flush": 2}
REFUSALS = {"fill_memory": 2, "block_dead_letters": 1}
SCENARIOS: dict[str, Scenario] = {
    "kills": Scenario(KILLS, timed=True),
    "rolling": Scenario({"roll_worker": 4, "scale_up": 2, "scale_down": 2}, calm=True),
    "workers": Scenario(WORKERS),
    "network": Scenario({**NETWORK, "kill_worker": 2}),
    "broker": Scenario({**SERVER, "kill_worker": 2}),
    "refusals": Scenario({**REFUSALS, "kill_worker": 2, "roll_worker": 1}),
    "safe": Scenario({**KILLS, "trim_safe": 4}, timed=True),
    "force": Scenario({**KILLS, "trim_force": 6, "withhold_replies": 2}, slow=0.05),
    "in_flight": Scenario({"trim_force": 3, "withhold_replies": 4}, slow=0.05),
    "everysec": Scenario({**SERVER, **KILLS, "kill_broker": 6}, fsync="everysec"),
    "there_and_back": Scenario({"there_and_back": 1}, slow=0.01, waits=True),
    "everything": Scenario({**WORKERS, **NETWORK, **SERVER, **REFUSALS, "trim_safe": 1}),
}


def schedule(seed: int, name: str, seconds: float, pause: float) -> list[Fault]:
    """Faults over `seconds`, on average one each `pause`; the same for the same arguments."""
    rng = random.Random(f"{seed}/{name}")
    weights = SCENARIOS[name].faults
    faults = []
    at = rng.expovariate(1 / pause)
    while at < seconds:
        faults.append(Fault(at, rng.choices(list(weights), list(weights.values()))[0]))
        at += rng.expovariate(1 / pause)
    return faults
