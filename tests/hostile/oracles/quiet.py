"""No write when nothing changes; no traceback in the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from tests.hostile.oracles import FAULT, Violation
from tests.hostile.world import World

QUIET_SECONDS = 5.0
"""Two full looks of the operator under test, and more."""
BOUND_SECONDS = 45.0
"""Figures that nobody waits for are written some seconds late."""


def no_writes(world: World) -> Iterator[Violation]:
    """Wait until nothing that the operator writes has changed for a while."""
    began = time.monotonic()

    def quiet() -> bool:
        since = time.monotonic() - QUIET_SECONDS
        return since > began and not world.stage.seen.changes(world.namespace, since)

    if not world.until(quiet, BOUND_SECONDS):
        changes = world.stage.seen.changes(world.namespace, time.monotonic() - QUIET_SECONDS)
        words = "; ".join(f"{one.kind}/{one.name} {one.what}" for one in changes[:5])
        yield Violation("quiet", f"nothing is done, and after {BOUND_SECONDS:.0f} s: {words}")


def no_tracebacks(world: World, log: str) -> Iterator[Violation]:
    """Of our namespaces, or of nobody's."""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            rest = [one for one in lines[number : number + 60] if not one.startswith(("{", " "))]
            entry = {"exception": rest[1]} if line.startswith("Traceback") and rest[1:] else {}
        about = str(entry.get("pipeline", world.namespace))
        ours = about.partition("/")[0] in (world.namespace, world.elsewhere)
        if "exception" in entry and ours:
            last = str(entry["exception"]).strip().splitlines()[-1]
            yield Violation(FAULT, f"{entry.get('message')}: {last[:300]}")
