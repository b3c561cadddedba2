"""The status of a pipeline that cannot be planned at all. Pure.

Such a resource was stored by an API server with another (or no) schema, or hit a fault of ours.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from headrace_api.v1alpha1 import ConditionType, Reason
from headrace_operator.kube.kinds import Manifest


def in_words(error: ValidationError) -> str:
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
    wanted = {ConditionType.READY: "False", why: "True"}
    there = {condition["type"]: condition for condition in current.get("conditions", ())}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    either = (ConditionType.STALLED, ConditionType.RECONCILING)
    conditions = [
        condition for name, condition in there.items() if name not in wanted and name not in either
    ]
    for name, value in wanted.items():
        known = there.get(name)
        turned = known is None or known["status"] != value
        conditions.append(
            {
                "type": str(name),
                "status": value,
                "observedGeneration": generation,
                "lastTransitionTime": now
                if turned or known is None
                else known["lastTransitionTime"],
                "reason": str(reason),
                "message": message[:32768],
            }
        )
    return {**current, "observedGeneration": generation, "conditions": conditions}
