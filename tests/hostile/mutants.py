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
from tests.hostile.play import play_all
from tests.hostile.stage import stage
from tests.hostile.story import write as write_story
from tests.support.broken_package import Edit, write_broken

TRIES = 6
"""Seeds that a mutant may survive: its fault has to meet the right acts."""


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


def hunt(mutant: Mutant, kubeconfig: Path) -> str | None:
    """Play stories of its acts until it is caught: what was seen; None if it escaped."""
    weights = {name: WEIGHTS[name] for name in mutant.acts}
    stories = (write_story(seed, weights) for seed in range(1, TRIES + 1))
    caught: list[str] = []

    def found() -> bool:
        return bool(caught)

    with tempfile.TemporaryDirectory(prefix="hostile-mutant-") as name:
        write(mutant, Path(name))
        with stage(kubeconfig, Path(name), Path(name)) as on:
            for result in play_all(on, stories, TRIES, found):
                caught += [
                    f"{one} [{result.story}]"
                    for one in result.violations
                    if one.oracle in mutant.oracles
                ]
    return caught[0] if caught else None


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
            "        for keys in known.group_keys:\n",
            "        for keys in known.group_keys[:0]:\n",
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
