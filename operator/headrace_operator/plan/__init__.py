"""Pure planning: an observation in, everything to do out. Nothing in here talks to anything."""

from headrace_operator.plan.actions import (
    Apply,
    Delete,
    DestroyGroup,
    EnsureGroup,
    Event,
    GroupOperation,
    Plan,
    PlanSettings,
    ReleaseGroup,
    Rescale,
    Scale,
    ScaleIn,
    Workers,
)
from headrace_operator.plan.pipeline import plan
from headrace_operator.plan.pod_health import victims
from headrace_operator.plan.rendered import RenderedPipeline, Wanted

__all__ = [
    "Apply",
    "Delete",
    "DestroyGroup",
    "EnsureGroup",
    "Event",
    "GroupOperation",
    "Plan",
    "PlanSettings",
    "ReleaseGroup",
    "RenderedPipeline",
    "Rescale",
    "Scale",
    "ScaleIn",
    "Wanted",
    "Workers",
    "plan",
    "victims",
]
