"""Pure planning: an observation in, everything to do out. Nothing in here talks to anything."""

from headrace_operator.plan.actions import (
    Apply,
    Delete,
    DestroyGroup,
    EnsureGroup,
    Event,
    GroupOperation,
    Plan,
    ReleaseGroup,
    Scale,
    ScaleIn,
    Settings,
)
from headrace_operator.plan.pipeline import Wanted, plan, wanted
from headrace_operator.plan.pods import victims

__all__ = [
    "Apply",
    "Delete",
    "DestroyGroup",
    "EnsureGroup",
    "Event",
    "GroupOperation",
    "Plan",
    "ReleaseGroup",
    "Scale",
    "ScaleIn",
    "Settings",
    "Wanted",
    "plan",
    "victims",
    "wanted",
]
