"""The status of a pipeline that cannot be planned at all. Pure.

Such a resource was stored by an API server with another (or no) schema, or hit a fault of ours.
"""

from __future__ import annotations

import time
from typing import Any

from pydantic import ValidationError

from headrace_api.v1alpha1 import ConditionType, Reason
from headrace_operator.kube.kinds import Manifest
from headrace_operator.plan.condition_list import Condition, merged


def describe(error: ValidationError) -> str:
    """The fields and what is wrong with them; never their values."""
    sentences = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])
        sentences.append(f"{where.lstrip('.')}: {problem['msg']}")
    return "the spec cannot be used; correct it: " + "; ".join(sentences[:5])


def status(live: Manifest, reason: Reason, message: str) -> dict[str, Any]:
    """The live status with Ready False and Stalled True."""
    return _with(live, ConditionType.STALLED, reason, message)


def deleting(live: Manifest, message: str) -> dict[str, Any]:
    """The live status of a pipeline that is being deleted: Ready False and Reconciling True."""
    return _with(live, ConditionType.RECONCILING, Reason.DELETING, message)


def _with(live: Manifest, why: ConditionType, reason: Reason, message: str) -> dict[str, Any]:
    """Ready False and `why` True; times move only when a status turns."""
    current = live.get("status") or {}
    generation = live["metadata"].get("generation", 0)
    there = current.get("conditions") or ()
    wanted = [
        Condition(ConditionType.READY, False, reason, message),
        Condition(why, True, reason, message),
    ]
    replaced = {ConditionType.READY, ConditionType.STALLED, ConditionType.RECONCILING}
    others = [condition for condition in there if condition["type"] not in replaced]
    conditions = [*others, *merged(wanted, there, generation, time.time())]
    return {**current, "observedGeneration": generation, "conditions": conditions}
