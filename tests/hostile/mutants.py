"""Operators broken on purpose: each is the real package with one safeguard taken out.

The oracles prove themselves by catching all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import headrace_operator
from tests.hostile.actions import WEIGHTS
from tests.hostile.oracles import FAULT
from tests.hostile.play import Result, play_all
from tests.hostile.stage import stage
from tests.hostile.story import write as write_story
from tests.support.broken_package import Edit, Hunted, Verdict, write_broken

TRIES, JOBS = 18, 6
"""Seeds that a mutant may survive: its fault has to meet the right acts; so many side by side."""


@dataclass(frozen=True)
class Mutant:
    """What is broken, the acts that show it, and the oracle that must catch it."""

    name: str
    acts: tuple[str, ...]
    oracles: frozenset[str]
    edits: Sequence[Edit]

    def __str__(self) -> str:
        return self.name


def mutant(name: str, acts: str, oracles: str, *edits: tuple[str, str, str]) -> Mutant:
    caught_by = frozenset(oracles.split(", "))
    return Mutant(name, tuple(acts.split()), caught_by, [Edit(*edit) for edit in edits])


def write(mutant: Mutant, directory: Path) -> None:
    """Copy the package and break it. Raises ValueError when the code reads otherwise by now."""
    write_broken(Path(headrace_operator.__path__[0]), mutant.edits, directory)


def hunt(mutant: Mutant, kubeconfig: Path) -> Hunted:
    """Play stories of its acts until an oracle that it names catches it."""
    weights = {name: WEIGHTS[name] for name in mutant.acts}
    stories = (write_story(seed, weights) for seed in range(1, TRIES + 1))
    ends: list[Hunted] = []

    def found() -> bool:
        return bool(ends)

    with tempfile.TemporaryDirectory(prefix="hostile-mutant-") as name:
        write(mutant, Path(name))
        with stage(kubeconfig, Path(name), Path(name)) as on:
            for result in play_all(on, stories, JOBS, found):
                hunted = judge(mutant, result)
                ends += [hunted] if hunted.verdict is not Verdict.ESCAPED else []
    # Played side by side: one that broke makes the others' answers doubtful.
    broken = [one for one in ends if one.verdict is Verdict.BROKEN]
    return next(iter((*broken, *ends)), Hunted(Verdict.ESCAPED))


def judge(mutant: Mutant, result: Result) -> Hunted:
    """What one story says of a mutant. An operator that fails of a fault of its own shows nothing
    of the safeguard that was taken out. Pure."""
    for one in sorted(result.violations, key=lambda one: one.oracle != FAULT):
        if one.oracle == FAULT and FAULT not in mutant.oracles:
            return Hunted(Verdict.BROKEN, FAULT, f"{one.what} [{result.story}]")
        if one.oracle in mutant.oracles:
            return Hunted(Verdict.CAUGHT, one.oracle, f"{one.what} [{result.story}]")
    return Hunted(Verdict.ESCAPED)


MUTANTS = [
    mutant(
        "a pod that somebody took aside holds up a deletion",
        "quarantine_pod",
        "deletion",
        (
            "reconcile/last_workers.py",
            "if _controller(pod) not in {None, *orphaned} and not pod_health.is_finished(pod)",
            "if not pod_health.is_finished(pod)",
        ),
    ),
    mutant(
        "a Deployment with another group's label is removed",
        "relabel_child",
        "kept",
        (
            "plan/removed_groups.py",
            'if ref.kind != "Deployment" or ref in wanted:',
            'named = (live["metadata"].get("labels") or {}).get(GROUP_LABEL)\n'
            "        present = {group.name for group in observation.pipeline.spec.groups}\n"
            '        if ref.kind != "Deployment" or named in present:',
        ),
    ),
    mutant(
        "an evicted pod keeps a group that left",
        "evict_pod remove_group",
        "end state",
        (
            "plan/removed_groups.py",
            "*(pod for pod in observation.pods if not pod_health.is_finished(pod)),",
            "*observation.pods,",
        ),
    ),
    mutant(
        "a claim is never given up",
        "annotate_child",
        "deletion",
        (
            "reconcile/deletion.py",
            "for keys in await self._all_keys(known.access, known.group_keys, known.owner):",
            "for keys in ():",
        ),
    ),
    mutant(
        "the status does not know that Redis is away",
        "redis_stops redis_freezes",
        "truth, reason",
        (
            "reconcile/observe.py",
            "redis_error=connection.access_error or (reading.error if reading else None),",
            "redis_error=connection.access_error,",
        ),
    ),
    mutant(
        "every look is a transition",
        "annotate_child",
        "quiet",
        (
            "plan/condition_list.py",
            'old.get("lastTransitionTime", stamp) if old and unchanged else stamp',
            "stamp",
        ),
        (
            "plan/status.py",
            "_reduced(live, figures=True):\n        return None",
            "_reduced(live, figures=True):\n        return 0.0",
        ),
    ),
]
