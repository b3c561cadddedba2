"""Workers broken on purpose: each mutant is the real package with one safeguard taken out.

The checker proves itself by catching all of them. A mutant names the text that it replaces; when
the code no longer holds that text, applying it fails, and the mutant has to be written anew.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import headrace
from tests.crash.world import MIN_IDLE, Run, play

TRIES = 4
"""Seeds that a mutant may survive: its fault has to meet the right moment."""


@dataclass(frozen=True)
class Edit:
    """Replace `old`, which occurs once in `file` of the package, by `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """What is broken, in which run it shows, and which bounds it may break."""

    name: str
    run: Run
    bounds: frozenset[str]
    edits: Sequence[Edit]

    def __str__(self) -> str:
        return self.name


def mutant(name: str, run: Run, bounds: str, *edits: tuple[str, str, str]) -> Mutant:
    return Mutant(name, run, frozenset(bounds.split()), [Edit(*edit) for edit in edits])


def write(mutant: Mutant, directory: Path) -> None:
    """Copy the package and break it. Raises ValueError when the code reads otherwise by now."""
    package = directory / "headrace"
    shutil.copytree(
        Path(headrace.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    for edit in mutant.edits:
        path = package / edit.file
        text = path.read_text("utf-8")
        if (found := text.count(edit.old)) != 1:
            raise ValueError(f"{mutant.name}: {edit.file} holds {found} times {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new), "utf-8")


def hunt(mutant: Mutant) -> str | None:
    """Run the mutant until the checker catches it: the bound it broke; None if it escaped."""
    for seed in range(mutant.run.seed, mutant.run.seed + TRIES):
        with tempfile.TemporaryDirectory(prefix="headrace-mutant-") as directory:
            write(mutant, Path(directory))
            result = play(replace(mutant.run, seed=seed), package=Path(directory))
        for bound in result.violations.keys() & mutant.bounds:
            return f"{bound}: {result.violations[bound][0]}"
    return None


def short(scenario: str, *, events: int = 1_000, pause: float = 0.4, slow: float = 0.03) -> Run:
    return Run(1, scenario, events=events, rate=250, fault_pause=pause, slow=slow, drain_seconds=25)


COMMIT, CLAIM = "streams/lua/commit.lua", "streams/lua/claim_idle.lua"
FENCE = "if row[2] ~= consumer or row[4] ~= count then return refuse(id, 1) end"
MUTANTS = [
    mutant(
        "acknowledged at delivery, before it is handled",
        short("rolling"),
        "order lost",
        (
            "worker/intake/reader.py",
            'b"BLOCK", self._block_ms,',
            'b"BLOCK", self._block_ms, b"NOACK",',
        ),
    ),
    mutant(
        "no fence",
        short("workers"),
        "outputs order",
        (COMMIT, FENCE, ""),
        (
            COMMIT,
            "if not row then return refuse(id, 2), true end",
            "row = row or {id, consumer, 0, count}",
        ),
    ),
    mutant(
        "a fence without the delivery count",
        Run(
            1,
            "there_and_back",
            events=100,
            rate=50,
            fault_pause=0.5,
            slow=1.0,
            slow_seconds=(3.4 * MIN_IDLE,),
        ),
        "order outputs",
        (COMMIT, " or row[4] ~= count then", " then"),
        # The fence stands behind another safeguard, which has to be out of its way to be seen.
        (
            "worker/handling/suspects.py",
            "await dispatcher.until_idle()\n                await self._settler.drain()",
            "pass",
        ),
    ),
    mutant(
        "a flush sent again is carried out again",
        Run(1, "in_flight", events=400, rate=60, fault_pause=0.15, slow=0.5),
        "outputs",
        (
            COMMIT,
            "if tonumber(last) == number and answer ~= '' then return cmsgpack.unpack(answer) end",
            "",
        ),
        (COMMIT, "if tonumber(last) >= number then return {} end", ""),
    ),
    mutant(
        "no lease",
        short("rolling"),
        "calm",
        ("worker/intake/renewals.py", "held = self._holding.snapshot()", "held = []"),
    ),
    mutant(
        "reclaim skips a quiet stream",
        short("kills"),
        "pending redelivery",
        (
            "worker/intake/claims.py",
            "if monotonic() >= self._next_reclaim:",
            'seen, self._seen = getattr(self, "_seen", 0), self._metrics.delivered_total\n'
            "        if monotonic() >= self._next_reclaim and seen != self._seen:",
        ),
    ),
    mutant(
        "a retry is acknowledged first and marked then",
        short("rolling"),
        "lost order",
        (
            COMMIT,
            "local due = redis.pcall('ZADD', retry,",
            "redis.call('XACK', stream, group, id)\n  local due = redis.pcall('ZADD', retry,",
        ),
    ),
    mutant(
        "a dead consumer is deleted with its pending entries",
        short("kills"),
        "lost",
        ("streams/lua/delete_dead_consumers.lua", "info['pending'] > 0 or ", ""),
        (
            "worker/intake/claims.py",
            "max(3_600_000, DEAD_CONSUMER_FACTOR * self._min_idle_ms)",
            "300",
        ),
    ),
    mutant(
        "acknowledged although the dead letter failed",
        short("refusals"),
        "dead-letters",
        (
            COMMIT,
            "if err then return refuse(id, 4, err) end",
            "if err then return end_of(id) end",
        ),
    ),
    mutant(
        "a hand-over counts as a failure",
        short("rolling", slow=0.3),  # so that there is something to hand over
        "calm",
        (
            "streams/lua/hand_back.lua",
            "redis.call('ZADD', retry, now, member)",
            "redis.call('ZADD', retry, now, member)\n"
            "  redis.call('HSET', failures, member, '1 0 0 0 0 ')",
        ),
    ),
    mutant(
        "a hand-over counts as a delivery",
        short("rolling", slow=0.3),  # so that there is something to hand over
        "calm",
        ("streams/lua/hand_back.lua", "math.max(0, count - uncounted)", "count"),
    ),
    mutant(
        "reclaim takes from workers that renew",
        short("rolling"),
        "calm",
        (CLAIM, "'IDLE', min_idle,", "'IDLE', 0,"),
    ),
    mutant(
        "outputs are written before the fence is asked",
        short("workers"),
        "outputs",
        (
            COMMIT,
            "  local row, gone\n",
            "  written = {}\n  for _ = 1, outputs do add(place)\n"
            "  place = place + 3 + LIST[place + 3] end\n"
            "  outputs = 0\n  local row, gone\n",
        ),
    ),
    mutant(
        "a trim passes the floor",
        short("safe"),
        "lost",
        (
            "streams/lua/trim.lua",
            "if not floor or id_less(slice[#slice][1], floor) then",
            "if true then",
        ),
    ),
    mutant(
        "records of failures are never dropped",
        short("rolling", events=400),
        "leaks",
        (
            COMMIT,
            "redis.pcall('HDEL', failures, unpack(members))",
            "",
        ),
    ),
    mutant(
        "a consumer leaves its flush number behind",
        short("rolling", events=400),
        "leaks",
        ("streams/lua/delete_consumer.lua", "redis.call('HDEL', KEYS[3], 'flush:' .. ARGV[2])", ""),
    ),
]
