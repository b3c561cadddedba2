"""One fault played through, and what is said of it."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.connections.faults import Fault
from tests.connections.scene import Scene
from tests.support import waiting

EVENTS = 100
"""Before the fault, while it lasts, and after it: so many each."""
RECOVERY_SECONDS = 30.0
LOOK_SECONDS = 0.25
BEGAN = re.compile(r"(\w+): .*; trying again with back-off")
ENDED = re.compile(r"(\w+): Redis answers again")


@dataclass(frozen=True)
class Bounds:
    """How much a worker may say and use while the fault lasts."""

    lines: int = 25
    cpu_percent: float = 5.0
    """Of one core. The first seconds hold most of the tries."""


LONG = Bounds(lines=100, cpu_percent=2.0)
"""Of ten minutes."""


@dataclass
class Outcome:
    """What came of it. Empty `wrong`: all is well."""

    fault: str
    kept: int = 0
    lost: int = 0
    twice: int = 0
    lines: int = 0
    """That the worker logged from the fault's start until all was handled."""
    cpu_percent: float = 0.0
    unready: bool = False
    back_after: float = 0.0
    """Seconds from the fault's end until all is handled and the worker is ready."""
    wrong: list[str] = field(default_factory=list)
    log: str = ""


def play(fault: Fault, kind: str, seconds: float, bounds: Bounds | None = None) -> Outcome:
    """Send, strike, wait, mend, send, and look. Never raises: what goes wrong is told."""
    outcome = Outcome(fault.name)
    try:
        with fault.make(kind) as scene:
            _play(fault, scene, seconds, bounds or Bounds(), outcome)
    except Exception as error:
        outcome.wrong.append(f"{type(error).__name__}: {error}")
    return outcome


def _play(fault: Fault, scene: Scene, seconds: float, bounds: Bounds, outcome: Outcome) -> None:
    scene.must_send(EVENTS)
    waiting.until("what comes before the fault", scene.settled, within=60)
    before, cpu, began = len(scene.worker.text), scene.cpu_seconds(), time.monotonic()
    fault.begin(scene)
    scene.send(EVENTS)
    taken = set(scene.kept) if fault.takes else set()
    while time.monotonic() < began + seconds:
        outcome.unready = outcome.unready or not scene.ready()
        time.sleep(LOOK_SECONDS)
    outcome.cpu_percent = 100 * (scene.cpu_seconds() - cpu) / (time.monotonic() - began)
    fault.end(scene)
    ended = time.monotonic()
    scene.forget(taken)
    scene.must_send(EVENTS)
    with contextlib.suppress(AssertionError):
        recovery = RECOVERY_SECONDS + fault.pause
        waiting.until("all handled", scene.settled, within=recovery)
        waiting.until("a ready worker", scene.ready, within=RECOVERY_SECONDS)
        outcome.back_after = time.monotonic() - ended
        waiting.until("last lines", lambda: not _unended(scene.worker.text[before:]))
    _judge(fault, scene, scene.worker.text[before:], bounds, outcome)


def _judge(fault: Fault, scene: Scene, log: str, bounds: Bounds, outcome: Outcome) -> None:
    handled = scene.handled
    outcome.log = log
    outcome.kept = len(scene.kept)
    outcome.lost = len(scene.kept - handled.keys())
    outcome.twice = sum(count - 1 for count in handled.values())
    outcome.lines = len(log.splitlines())
    says = {
        "lost": outcome.lost,
        "not settled": not scene.settled(),
        "not ready": not scene.ready(),
        "handled twice": outcome.twice and not fault.repeats,
        "did not say so": fault.words(scene.server.kind) not in log,
        "too many lines": outcome.lines > bounds.lines,
        "a busy loop": outcome.cpu_percent > bounds.cpu_percent,
        "ready all the while": fault.away and not outcome.unready,
        "no line at its end": _unended(log),
        "a traceback": "Traceback" in log,
        "ended": scene.worker.process.poll() is not None,
    }
    outcome.wrong += [what for what, wrong in says.items() if wrong]


def _unended(log: str) -> set[str]:
    """Loops that began an outage and did not end it."""
    state: dict[str, bool] = {}
    for line in log.splitlines():
        if found := ENDED.search(line):
            state[found[1]] = True
        elif found := BEGAN.search(line):
            state[found[1]] = False
    return {loop for loop, ended in state.items() if not ended}


def counted(outcomes: list[Outcome]) -> Counter[str]:
    """How many went well, and how many did not."""
    return Counter("wrong" if one.wrong else "ok" for one in outcomes)
