"""The status of a RedisConnection, from what was found behind it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.streams.facts import ServerFacts
from headrace.streams.shards import Shard, hot_shard
from headrace_api.v1alpha1 import ConditionType, DataLoss, Reason
from headrace_operator.plan.condition_list import Condition, merged
from headrace_operator.plan.persistence import risk_condition
from headrace_operator.plan.problems import Problem


@dataclass(frozen=True, slots=True)
class Found:
    """`endpoint`: where it was looked for. `servers`: the one that answered, or the primaries of a
    Cluster, whose load is in `shards`. `problem`: why that is not all of it."""

    endpoint: str | None = None
    servers: tuple[ServerFacts, ...] = ()
    problem: Problem | None = None
    shards: tuple[Shard, ...] = ()


def status_of(
    live: Mapping[str, Any], found: Found, *, pipelines: int, data_loss: DataLoss, now: float
) -> dict[str, Any]:
    """The whole status, camelCase; what is not known is absent. `now`: Unix seconds."""
    generation = live["metadata"].get("generation", 0)
    before = (live.get("status") or {}).get("conditions") or ()
    conditions = _conditions(found, data_loss)
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "conditions": merged(conditions, before, generation, now),
        "endpoint": found.endpoint,
        "server": _all_of(str(one.server) for one in found.servers),
        "role": _role(found.servers),
        "persistence": _all_of(_persistence(one) for one in found.servers),
        "evictionPolicy": _all_of(one.eviction for one in found.servers),
        "pipelines": pipelines,
    }
    return {name: value for name, value in status.items() if value is not None}


def _conditions(found: Found, data_loss: DataLoss) -> Iterator[Condition]:
    problem = found.problem or _of_servers(found.servers)
    if problem is None:
        message = f"{_all_of(str(one.server) for one in found.servers)} answers"
        yield Condition(ConditionType.READY, True, Reason.AVAILABLE, message)
    else:
        yield Condition(ConditionType.READY, False, problem.reason, problem.message)
        kind = ConditionType.STALLED if problem.stalled else ConditionType.RECONCILING
        yield Condition(kind, True, problem.reason, problem.message)
    risks = [one.risk for one in found.servers if one.risk is not None]
    if risks and data_loss is not DataLoss.ACCEPT:
        yield risk_condition(risks[0], "dataLoss")
    if hot := hot_shard(found.shards):
        yield Condition(ConditionType.SHARDS_UNEVEN, True, Reason.HOT_SHARD, hot)


def _of_servers(servers: Sequence[ServerFacts]) -> Problem | None:
    for one in servers:
        if not one.server.is_supported:
            return Problem(Reason.REDIS_TOO_OLD, one.server.too_old, stalled=True)
        if not one.is_primary:
            message = "a replica answers there, which takes no events: name its primary"
            return Problem(Reason.REDIS_REFUSED, message, stalled=True)
    return None


def _role(servers: Sequence[ServerFacts]) -> str | None:
    if not servers:
        return None
    primaries = sum(one.is_primary for one in servers)
    replicas = _count(sum(one.replicas for one in servers), "replica")
    if len(servers) > 1:
        return f"{_count(primaries, 'primary')}, {replicas}"
    return f"primary, {replicas}" if primaries else "replica"


def _count(number: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"


def _persistence(one: ServerFacts) -> str | None:
    if one.appendonly is None:
        return None
    return "appendonly" if one.appendonly else "no appendonly"


def _all_of(words: Any) -> str | None:
    """Each word once: the servers of a Cluster mostly agree."""
    return ", ".join(dict.fromkeys(word for word in words if word is not None)) or None
