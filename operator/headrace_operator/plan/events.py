"""Events for people: what changed since the status that was written last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace_api.trim_report import TrimReport
from headrace_api.v1alpha1 import ConditionType, Reason
from headrace_operator.plan.actions import Event
from headrace_operator.plan.observation import Observation

# They are present only while True. Stalled and Reconciling repeat Ready; the rest comes and goes.
_WARNED_OF = (
    ConditionType.TRIM_HELD_BACK,
    ConditionType.TRIM_FAILED,
    ConditionType.RECLAIM_FAILED,
    ConditionType.PERSISTENCE_RISK,
)


def events_of(observation: Observation, status: Mapping[str, Any]) -> Iterator[Event]:
    """Each new reason of Ready and of the conditions that warn beside it; what Force destroyed."""
    for kind in (ConditionType.READY, *_WARNED_OF):
        now, before = _condition(status, kind), _condition(observation.live_status, kind)
        if now and now["reason"] != before.get("reason"):
            yield Event(_type(now), now["reason"], now["message"])
    trim, before = status.get("trim") or {}, observation.live_status.get("trim") or {}
    if trim.get("destroyed") and trim["completedAt"] != before.get("completedAt"):
        yield Event("Warning", "EntriesDestroyed", TrimReport.model_validate(trim).destruction)


def _type(condition: Mapping[str, Any]) -> str:
    if condition["type"] != ConditionType.READY:
        return "Warning"
    healthy = condition["status"] == "True" or condition["reason"] == Reason.PROGRESSING
    return "Normal" if healthy else "Warning"


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Empty where it is absent."""
    conditions = status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})
