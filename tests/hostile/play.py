"""One seed from its beginning to its end: build, act, undo, look, delete, look again."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import redis

from tests.hostile.actions import ACTS
from tests.hostile.oracles import FAULT, Violation, bystanders, end_state, quiet, the_end
from tests.hostile.oracles.kept import Kept
from tests.hostile.oracles.neighbours import Neighbours
from tests.hostile.oracles.scaling import Scaling
from tests.hostile.oracles.truth import Truth
from tests.hostile.stage import Stage
from tests.hostile.story import Step, Story
from tests.hostile.world import Undo, World

SETTLE_SECONDS = 45.0
"""Served seconds. What was refused is tried again within ten."""
SAMPLE_SECONDS = 0.25
BACKLOG = 250


@dataclass
class Result:
    story: Story
    violations: list[Violation] = field(default_factory=list)
    harness: str = ""
    """What went wrong that is not the operator's."""
    settled_after: float = 0.0
    seconds: float = 0.0
    bursts: list[float] = field(default_factory=list)
    """Served seconds until a neighbour was scaled."""

    @property
    def broken(self) -> set[str]:
        return {one.oracle for one in self.violations}

    def __str__(self) -> str:
        text = "; ".join(map(str, self.violations)) or self.harness or "ok"
        return f"seed {self.story.seed:<5d} {self.seconds:5.1f} s  {text}  [{self.story}]"


class Player:
    """Stops at the first violation: what comes after it proves nothing."""

    def __init__(self, stage: Stage, story: Story) -> None:
        self._stage = stage
        self._story = story
        self._world = World(stage, story.seed, story.shape)
        self._truth = Truth(self._world)
        self._kept = Kept(self._world)
        self._scaling = Scaling(self._world)
        self._neighbours = Neighbours(self._world)
        self._bystanders = bystanders.Bystanders(self._world)
        self._undos: list[tuple[int, Undo]] = []
        self._watching = False

    def play(self) -> Result:
        result, began = Result(self._story), time.monotonic()
        log_size = self._stage.operator.log.stat().st_size
        endings = len(self._stage.operator.ended_by_itself)
        try:
            for violation in self._acts(result):
                result.violations.append(violation)
                break
            log = self._stage.operator.written(log_size)
            result.violations += quiet.no_tracebacks(self._world, log)
            result.violations += bystanders.told(self._world, log)
            for ending in self._stage.operator.ended_by_itself[endings:]:
                result.violations.append(Violation(FAULT, f"the operator: {ending}"))
        except Exception:
            result.harness = f"the harness: {traceback.format_exc()}"
        finally:
            self._undo_all()
            self._world.tear_down()
            result.bursts = self._neighbours.took
            result.seconds = time.monotonic() - began
        return result

    def _acts(self, result: Result) -> Iterator[Violation]:
        world = self._world
        world.build()
        yield from self._settle("at the beginning, ")
        if not world.until(self._neighbours.settled, SETTLE_SECONDS):
            yield Violation("neighbours", "they do not settle at the beginning")
        self._bystanders.begin()
        self._neighbours.begin()
        self._watching = True
        for step in self._story.steps:
            yield from self._step(step)
        yield from self._pause(self._story.dwell)
        self._undo_all()
        began = world.served
        yield from self._settle("")
        result.settled_after = world.served - began
        world.push(BACKLOG)
        yield from self._settle(f"with {BACKLOG} entries, ", seconds=30)
        world.drain()
        yield from self._settle("drained again, ", seconds=30)
        yield from quiet.no_writes(world)
        self._watching = False
        yield from the_end.delete(world, self._story.shape.end)
        yield from self._neighbours.sample()
        yield from self._bystanders.check()

    def _step(self, step: Step) -> Iterator[Violation]:
        for due, undo in list(self._undos):
            if due <= step.number:
                self._undos.remove((due, undo))
                undo()
        if step.number == self._story.burst_before:
            self._neighbours.burst()
        undone = ACTS[step.act].do(self._world, step)
        if undone is not None:
            self._undos.append((step.number + step.lasts, undone))
        yield from self._pause(step.pause)

    def _undo_all(self) -> None:
        while self._undos:
            self._undos.pop()[1]()

    def _pause(self, seconds: float) -> Iterator[Violation]:
        """So many served seconds, looking on; not at all while the operator is held down."""
        until, hard = self._world.served + seconds, time.monotonic() + seconds + 20
        while True:
            yield from self._sample()
            if self._world.served >= until or time.monotonic() > hard:
                return
            time.sleep(SAMPLE_SECONDS)

    def _sample(self) -> Iterator[Violation]:
        if self._watching:
            yield from self._truth.sample()
            yield from self._kept.sample()
            yield from self._scaling.sample()
            yield from self._neighbours.sample()

    def _settle(self, when: str, seconds: float = SETTLE_SECONDS) -> Iterator[Violation]:
        """Until nothing is missing from what the spec asks for."""
        deadline, missing = self._world.served + seconds, ["not looked at"]
        if self._watching and not when:
            self._world.drain()
        while missing:
            yield from self._sample()
            try:
                missing = end_state.missing(self._world)
            except redis.RedisError as error:
                missing = [f"Redis: {error}"]
            if missing and self._world.served > deadline:
                words = "; ".join(missing[:4])
                yield Violation("end state", f"{when}after {seconds:.0f} s: {words}")
                return
            if missing:
                time.sleep(SAMPLE_SECONDS)


def play_all(
    on: Stage, stories: Iterator[Story], jobs: int, until: Callable[[], bool]
) -> Iterator[Result]:
    """Results as they come; once `until` answers True no further story is begun."""
    under_way: set[Future[Result]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            while len(under_way) < jobs and not until():
                story = next(stories, None)
                if story is None:
                    break
                under_way.add(pool.submit(Player(on, story).play))
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()
