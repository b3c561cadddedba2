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
    Rescale,
    Scale,
    ScaleIn,
    Settings,
    Workers,
)
from headrace_operator.plan.pipeline import Wanted, plan, wanted
from headrace_operator.plan.pod_health import victims

__all__ = [
    "Apply",
    "Delete",
    "DestroyGroup",
    "EnsureGroup",
    "Event",
    "GroupOperation",
    "Plan",
    "ReleaseGroup",
    "Rescale",
    "Scale",
    "ScaleIn",
    "Settings",
    "Wanted",
    "Workers",
    "plan",
    "victims",
    "wanted",
]
