"""Acts by name: each does one thing to a world, and answers how it is undone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.hostile.story import Step
from tests.hostile.world import Undo, World

Do = Callable[[World, Step], Undo | None]


@dataclass(frozen=True)
class Act:
    """`weight`: how often it is drawn. None as the answer of `do`: there is nothing to undo, the
    operator has to put it right, or it found nothing to do."""

    do: Do
    weight: int


ACTS: dict[str, Act] = {}


def act(weight: int = 2) -> Callable[[Do], Do]:
    """Register a function under its own name."""

    def register(do: Do) -> Do:
        ACTS[do.__name__] = Act(do, weight)
        return do

    return register


@contextlib.contextmanager
def _counted(world: World, causes: tuple[str, ...]) -> Iterator[None]:
    for cause in causes:
        world.causes[cause] += 1
    try:
        yield
    except BaseException:
        for cause in causes:
            world.causes[cause] -= 1
        raise


def in_force(
    world: World, do: Callable[[], object], undo: Callable[[], object], *causes: str
) -> Undo:
    """Do it now; until it is undone, these causes stand."""
    with _counted(world, causes):
        do()

    def undone() -> None:
        undo()
        for cause in causes:
            world.causes[cause] -= 1

    return undone
