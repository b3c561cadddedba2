"""Conditions by kstatus, and how wanted ones are merged with those that were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headrace_api.v1alpha1 import ConditionType, Reason

# People read a condition; the API server allows 32,768.
MAX_MESSAGE_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Condition:
    type: ConditionType
    status: bool
    reason: Reason
    message: str


def merged(
    wanted: Iterable[Condition], live: Sequence[Mapping[str, Any]], generation: int, now: float
) -> list[dict[str, Any]]:
    """As the API server stores them; lastTransitionTime stays while `status` does."""
    before = {c.get("type"): c for c in live}
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    result = []
    for condition in wanted:
        status = "True" if condition.status else "False"
        old = before.get(condition.type.value)
        unchanged = old is not None and old.get("status") == status
        since = old.get("lastTransitionTime", stamp) if old and unchanged else stamp
        result.append(
            {
                "type": condition.type.value,
                "status": status,
                "reason": condition.reason.value,
                "message": _bounded(condition.message),
                "observedGeneration": generation,
                "lastTransitionTime": since,
            }
        )
    return result


def _bounded(message: str) -> str:
    return (
        message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
    )
