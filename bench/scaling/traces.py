"""What arrives: entries per second over time, and how the pods behave meanwhile."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

HOUR = 3600


@dataclass(frozen=True)
class Trace:
    """`arrivals(second)`: entries that arrive in it. `crash_every`: seconds, 0: no pod fails.

    `more`: further draws of arrivals that are left to chance; one alone would be a lottery.
    """

    name: str
    arrivals: Callable[[int], float]
    seconds: int = 2 * HOUR
    startup: int = 8
    rate: float = 20.0  # entries per second of one worker
    crash_every: int = 0
    more: tuple[Callable[[int], float], ...] = ()

    @property
    def draws(self) -> "tuple[Trace, ...]":
        """This trace, then the further draws as traces of their own."""
        return (self, *(replace(self, arrivals=arrivals, more=()) for arrivals in self.more))


def _steady(second: int) -> float:
    return 90.0


def _step(second: int) -> float:
    return 150.0 if 1200 <= second < 4800 else 15.0


def _burst(second: int) -> float:
    return 10_000.0 if second in (700, 3907, 5211) else 0.0


def _sawtooth(second: int) -> float:
    return 170.0 * (second % 900) / 900


def _diurnal(second: int) -> float:
    return 90.0 * (1 - math.cos(2 * math.pi * second / (2 * HOUR)))


def _heavy_tail(seed: int) -> Callable[[int], float]:
    """Pareto-sized bursts (shape 1.3) at random moments, a small stream between them."""
    chance = random.Random(seed)
    sizes = {
        second: min(chance.paretovariate(1.3) * 400, 20_000)
        for second in range(2 * HOUR)
        if chance.random() < 1 / 180
    }
    return lambda second: sizes.get(second, 0.0) + 5.0


def _waves(second: int) -> float:
    return 160.0 if second % 1200 < 400 else 0.0


def _trickle(second: int) -> float:
    return 1.0 if second % 600 == 17 else 0.0


TRACES = (
    Trace("steady", _steady),
    Trace("step", _step),
    Trace("burst", _burst),
    Trace("sawtooth", _sawtooth),
    Trace("diurnal", _diurnal),
    Trace("heavy tail", _heavy_tail(2013), more=tuple(map(_heavy_tail, range(2014, 2029)))),
    Trace("waves", _waves),
    Trace("trickle", _trickle),
    Trace("slow start of pods", _waves, startup=60),
    Trace("failing pods", _step, crash_every=45),
)
