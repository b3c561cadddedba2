"""What one seed does: the pipeline it begins with and the acts that follow. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

DWELLS, DWELL_WEIGHTS = (1.0, 4.0, 12.0, 140.0), (40, 30, 28, 2)
"""Seconds. Twelve are more than the status may take; 140 more than a worker may take to start."""
DICE = 4
"""Numbers that an act may choose by; drawn here, so that dropping one act changes no other."""


@dataclass(frozen=True)
class Step:
    """`lasts`: it is undone before the act that comes so many steps later."""

    number: int
    act: str
    dice: tuple[float, ...]
    pause: float
    """Seconds until the next act."""
    lasts: int

    def pick(self, options: Sequence[T], die: int = 0) -> T:
        return options[int(self.dice[die] * len(options))]

    def chance(self, share: float, die: int = 0) -> bool:
        return self.dice[die] < share

    def __str__(self) -> str:
        return f"{self.number}:{self.act}"


@dataclass(frozen=True)
class Shape:
    """The pipeline at the beginning, and how it ends."""

    deletion_policy: str
    password: bool
    trim: bool
    end: str
    """propagationPolicy of the deletion at the end."""


@dataclass(frozen=True)
class Story:
    seed: int
    shape: Shape
    steps: tuple[Step, ...] = ()
    burst_before: int = 0
    """The neighbours get a burst of entries before this step."""
    dwell: float = 0.0
    """Seconds in which nothing happens after the last act, with all of them still in force."""

    def only(self, steps: Sequence[Step]) -> Story:
        return replace(self, steps=tuple(steps))

    def __str__(self) -> str:
        return " ".join(map(str, self.steps))

    @property
    def command(self) -> str:
        numbers = ",".join(str(step.number) for step in self.steps) or "none"
        return f"python -m tests.hostile --seed {self.seed} --only {numbers}"


def write(seed: int, weights: Mapping[str, int], *, most: int = 7) -> Story:
    """The same story for the same seed and weights."""
    rng = random.Random(seed)
    shape = Shape(
        deletion_policy=rng.choice(["Retain", "Delete"]),
        password=rng.random() < 0.5,
        trim=rng.random() < 0.5,
        end=rng.choice(["Background", "Background", "Foreground", "Orphan"]),
    )
    names, numbers = list(weights), list(weights.values())
    steps = tuple(
        Step(
            number=number,
            act=rng.choices(names, numbers)[0],
            dice=tuple(rng.random() for _ in range(DICE)),
            pause=rng.choice([0.0, 0.2, 1.0, 2.0]),
            lasts=rng.choice([1, 2, 3, most]),
        )
        for number in range(1, rng.randint(2, most) + 1)
    )
    return Story(
        seed,
        shape,
        steps,
        burst_before=rng.randint(1, len(steps)),
        dwell=rng.choices(DWELLS, DWELL_WEIGHTS)[0],
    )
