"""Decides how many workers a group needs, and says why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScalingHistory:
    """What `decide` remembers between two looks. Empty for a group never seen before."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`replicas` wanted now, `reason` in words, `next_look` seconds from now or None."""

    replicas: int
    reason: str
    next_look: float | None = None
    history: ScalingHistory = ScalingHistory()
