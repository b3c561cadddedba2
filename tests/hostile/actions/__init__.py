"""Everything that can be done to a world: what it is, and how it is undone."""

from tests.hostile.actions import (
    admission,
    children,
    life,
    operator,
    pods,
    redis,
    referenced,
    spec,
)
from tests.hostile.actions.registry import ACTS

WEIGHTS = {name: one.weight for name, one in ACTS.items()}

__all__ = [
    "ACTS",
    "WEIGHTS",
    "admission",
    "children",
    "life",
    "operator",
    "pods",
    "redis",
    "referenced",
    "spec",
]
