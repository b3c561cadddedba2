"""Pure planning: an observation in, everything to do out. Nothing in here talks to anything."""

from headrace_operator.plan.actions import (
    Apply,
    Delete,
    DestroyGroup,
    EnsureGroup,
    Event,
    GroupOperation,
    HandOver,
    Plan,
    ReleaseGroup,
    ScaleIn,
    Settings,
    victims,
)
from headrace_operator.plan.pipeline import Wanted, plan, wanted

__all__ = [
    "Apply",
    "Delete",
    "DestroyGroup",
    "EnsureGroup",
    "Event",
    "GroupOperation",
    "HandOver",
    "Plan",
    "ReleaseGroup",
    "ScaleIn",
    "Settings",
    "Wanted",
    "plan",
    "victims",
    "wanted",
]
