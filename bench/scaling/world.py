"""Pods and a queue, second by second. Every scaler is run in the same world."""

import random
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Protocol

from bench.scaling.traces import Trace


@dataclass(frozen=True)
class Sight:
    """What a scaler may see at `second`: the backlog with what is being handled, the pods."""

    second: int
    backlog: int
    lag: int
    added: int
    handled: int
    replicas: int
    ready: int
    startup: int


class Scaler(Protocol):
    """Asked every second; answers the replicas wanted now."""

    def decide(self, sight: Sight) -> int: ...


@dataclass
class Run:
    """The course of one scaler on one trace, one value for each second."""

    backlog: list[int] = field(default_factory=list)
    replicas: list[int] = field(default_factory=list)
    handled: float = 0.0
    arrived: float = 0.0

    @property
    def backlog_seconds(self) -> int:
        return sum(self.backlog)

    @property
    def pod_seconds(self) -> int:
        return sum(self.replicas)

    def zero_with_work(self, patience: int) -> int:
        """Times that a scaler went to 0 while entries waited, or stayed there for `patience`."""
        found, asleep = 0, 0
        for backlog, (before, after) in zip(self.backlog[1:], pairwise(self.replicas), strict=True):
            asleep = asleep + 1 if after == 0 and backlog >= 1 else 0
            found += (before > 0 and after == 0 and backlog >= 1) or asleep == patience
        return found

    def reversals(self, window: int) -> int:
        """The most changes of direction among the moves within any `window` seconds."""
        moves = [
            (second, after > before)
            for second, (before, after) in enumerate(pairwise(self.replicas))
            if before != after
        ]
        most = 0
        for start, _ in moves:
            inside = [up for second, up in moves if start <= second < start + window]
            most = max(most, sum(a != b for a, b in pairwise(inside)))
        return most


def simulate(trace: Trace, scaler: Scaler, seed: int = 1) -> Run:
    """Pods start after `startup`, work at their rate, and may fail; the queue is first in, out."""
    chance = random.Random(seed)
    pods: deque[int] = deque()  # the second at which each becomes ready, oldest first
    run = Run()
    backlog = 0.0
    for second in range(trace.seconds):
        arriving = trace.arrivals(second)
        backlog += arriving
        run.arrived += arriving
        if trace.crash_every and pods and chance.random() < 1 / trace.crash_every:
            pods[chance.randrange(len(pods))] = second + trace.startup
        ready = sum(1 for start in pods if start <= second)
        done = min(backlog, ready * trace.rate)
        backlog -= done
        run.handled += done
        # An entry is pending while it is handled: what was done in this second is still seen.
        sight = Sight(
            second=second,
            backlog=ceil(backlog + done),
            lag=round(backlog),
            added=round(run.arrived),
            handled=round(run.handled),
            replicas=len(pods),
            ready=ready,
            startup=trace.startup,
        )
        wanted = scaler.decide(sight)
        while len(pods) > wanted:
            pods.remove(max(pods))  # the youngest first, as a ReplicaSet does
        while len(pods) < wanted:
            pods.append(second + trace.startup)
        run.backlog.append(round(backlog))
        run.replicas.append(len(pods))
    return run
