"""The condition PersistenceRisk: the Redis behind the pipeline can lose its events by itself."""

from __future__ import annotations

from headrace.streams.durability import Danger, Risk
from headrace_api.v1alpha1 import ConditionType, DataLoss, Reason
from headrace_operator.plan.condition_list import Condition
from headrace_operator.plan.observation import Observation

PAGE = "https://github.com/headrace/headrace/blob/main/docs/runbooks/HeadracePersistenceRisk.md"

_REASONS = {
    Danger.WRITE_FAILED: Reason.DISK_WRITE_FAILED,
    Danger.EVICTABLE: Reason.STREAM_EVICTABLE,
    Danger.NOT_PERSISTENT: Reason.NOT_PERSISTENT,
}


def persistence_risk(observation: Observation) -> Condition | None:
    """None where nothing is known against it, or where the spec wants no word of it."""
    risk = observation.risk
    if risk is None or observation.pipeline.spec.redis.data_loss is DataLoss.ACCEPT:
        return None
    return risk_condition(risk, "redis.dataLoss")


def risk_condition(risk: Risk, field: str) -> Condition:
    """`field`: what silences it."""
    message = f"{risk.found}; {risk.advice}, or write {field}: Accept ({PAGE})"
    return Condition(ConditionType.PERSISTENCE_RISK, True, _REASONS[risk.danger], message)
