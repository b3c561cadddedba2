"""A seed tells one story, and dropping an act changes no other."""

from __future__ import annotations

import pytest
from tests.hostile.actions import ACTS, WEIGHTS
from tests.hostile.story import Step, write

SEEDS = range(1, 301)


def test_a_seed_always_tells_the_same() -> None:
    assert [write(seed, WEIGHTS) for seed in SEEDS] == [write(seed, WEIGHTS) for seed in SEEDS]


def test_seeds_differ() -> None:
    assert len({write(seed, WEIGHTS).steps for seed in SEEDS}) == len(SEEDS)


def test_every_act_is_drawn() -> None:
    drawn = {step.act for seed in SEEDS for step in write(seed, WEIGHTS).steps}
    assert drawn == set(ACTS)


def test_the_acts_that_are_kept_are_as_they_were() -> None:
    story = write(3, WEIGHTS)
    kept = story.only(story.steps[1:])
    assert kept.steps == story.steps[1:]
    assert kept.shape == story.shape
    numbers = ",".join(str(step.number) for step in story.steps[1:])
    assert kept.command == f"python -m tests.hostile --seed 3 --only {numbers}"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_die_picks_among_whatever_there_is(share: float) -> None:
    step = Step(1, "flush", (share,), pause=0, lasts=1)
    assert step.pick("abc") in "abc"
    assert step.pick("a") == "a"
