"""How many workers a group has."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from headrace_api.duration import Between
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.scalars import integer

Replicas = Annotated[int, integer(0, 1000)]

_AUTOMATIC_ONLY = (
    "minReplicas",
    "maxReplicas",
    "targetBacklog",
    "targetDelay",
    "scaleDownAfter",
    "fallbackReplicas",
)
_AUTOMATIC_ATTRIBUTES = {
    "min_replicas",
    "max_replicas",
    "target_backlog",
    "target_delay",
    "scale_down_after",
    "fallback_replicas",
}
_MODE = "(has(self.mode) ? self.mode : 'Automatic')"
_MIN = "(has(self.minReplicas) ? self.minReplicas : 0)"
_MAX = "(has(self.maxReplicas) ? self.maxReplicas : 10)"


class ScalingMode(StrEnum):
    """Who decides how many workers there are."""

    AUTOMATIC = "Automatic"
    FIXED = "Fixed"
    EXTERNAL = "External"


class Scaling(Shape):
    """Automatic follows the backlog, Fixed is a number, External leaves it to somebody else."""

    mode: ScalingMode = Field(
        ScalingMode.AUTOMATIC,
        description=(
            "Automatic: by the backlog. Fixed: `replicas`. External: an HPA, KEDA or a person sets"
            " the Deployment's replicas, and Headrace leaves them alone."
        ),
    )
    replicas: Replicas | None = Field(None, description="Number of workers. Mode Fixed only.")
    min_replicas: Replicas = Field(
        0, description="Workers to keep when there is nothing to do. Mode Automatic only."
    )
    max_replicas: Annotated[int, integer(1, 1000)] = Field(
        10, description="Most workers. Mode Automatic only."
    )
    target_backlog: Annotated[int, integer(1, 10**9)] = Field(
        100,
        description="Entries waiting per worker that are thought right. Mode Automatic only.",
    )
    target_delay: Annotated[timedelta, Between("1s", "24h")] | None = Field(
        None,
        description=(
            "Longest time an entry should wait, reckoned from the measured rate; the larger answer"
            " of it and targetBacklog counts. Mode Automatic only."
        ),
    )
    scale_down_after: Annotated[timedelta, Between("0s", "24h")] = Field(
        timedelta(seconds=30),
        description="How long fewer workers must be enough before some go. Mode Automatic only.",
    )
    fallback_replicas: Replicas | None = Field(
        None,
        description=(
            "Workers to have while the backlog is unknown; when absent their number is held."
            " Mode Automatic only."
        ),
    )

    rules = (
        Rule(
            f"({_MODE} == 'Fixed') == has(self.replicas)",
            "mode Fixed needs replicas, and no other mode takes it",
            lambda s: (s.mode is ScalingMode.FIXED) == (s.replicas is not None),
        ),
        Rule(
            f"{_MODE} == 'Automatic' || !("
            + " || ".join(f"has(self.{name})" for name in _AUTOMATIC_ONLY)
            + ")",
            f"{', '.join(_AUTOMATIC_ONLY[:-1])} and {_AUTOMATIC_ONLY[-1]} go with mode Automatic;"
            " remove them or the mode",
            lambda s: (
                s.mode is ScalingMode.AUTOMATIC or not (s.model_fields_set & _AUTOMATIC_ATTRIBUTES)
            ),
        ),
        Rule(
            f"{_MODE} != 'Automatic' || {_MIN} <= {_MAX}",
            "minReplicas must not exceed maxReplicas (10 where it is not given)",
            lambda s: s.mode is not ScalingMode.AUTOMATIC or s.min_replicas <= s.max_replicas,
        ),
        Rule(
            f"{_MODE} != 'Automatic' || !has(self.fallbackReplicas)"
            f" || self.fallbackReplicas <= {_MAX}",
            "fallbackReplicas must not exceed maxReplicas (10 where it is not given)",
            lambda s: (
                s.mode is not ScalingMode.AUTOMATIC
                or s.fallback_replicas is None
                or s.fallback_replicas <= s.max_replicas
            ),
        ),
    )
