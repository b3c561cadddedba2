"""The status: counts for people and columns, and whether a change of it is worth a write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from headrace.streams.backlog import StreamBacklog
from headrace_api.duration import format_duration
from headrace_api.duration import parse as parse_duration
from headrace_operator.identity import place_of
from headrace_operator.plan.condition_list import Condition, merged
from headrace_operator.plan.group import GroupPlan
from headrace_operator.plan.observation import Observation
from headrace_operator.plan.orphans import Orphans
from headrace_operator.plan.trim_reports import last_trim

# What the schema takes, and a double holds.
MAX_COUNT = 2**53
# Between two writes that bring only new figures.
FIGURES_INTERVAL_SECONDS = 10.0

# What changes while work flows. Anything else is news and is written at once.
_FIGURES = frozenset(
    {
        "lag",
        "lagSource",
        "pending",
        "parked",
        "deadLetters",
        "oldestAgeSeconds",
        "floorId",
        "length",
        "entriesAdded",
        "firstId",
        "lastId",
        "bytes",
        "memoryFullIn",
        "trim",
        "message",
    }
)


def _seconds(text: str) -> int:
    try:
        return int(parse_duration(text).total_seconds())
    except ValueError:
        return 0  # somebody else wrote it


# How long something is, in whole seconds.
_LENGTHS: Mapping[str, Callable[[Any], int]] = {"oldestAgeSeconds": int, "memoryFullIn": _seconds}


def status_of(
    observation: Observation,
    groups: Sequence[GroupPlan],
    conditions: Iterable[Condition],
    orphans: Orphans,
) -> dict[str, Any]:
    """The whole status, camelCase. What is not known is absent, never 0."""
    pipeline = observation.pipeline
    generation = pipeline.metadata.generation
    live = observation.live_status.get("conditions") or ()
    entries = [_group(group) for group in groups]
    replicas = sum(entry["replicas"] for entry in entries)
    ready = sum(entry["readyReplicas"] for entry in entries)
    result: dict[str, Any] = {
        "observedGeneration": generation,
        "conditions": merged(conditions, live, generation, observation.now),
        "endpoint": next(iter(pipeline.endpoints), None),
        "workers": f"{ready}/{sum(entry['desiredReplicas'] for entry in entries)}",
        "replicas": replicas,
        "readyReplicas": ready,
        "lag": _total(entries, "lag"),
        "pending": _total(entries, "pending"),
        "groups": entries,
        "trim": last_trim(observation),
    }
    if observation.backlog is not None and observation.redis_error is None:
        result["deadLetters"] = observation.backlog.dead_letters
        result["stream"] = _stream(observation, observation.backlog)
        result["place"] = place_of(pipeline)
    result |= orphans.as_status()
    return {name: value for name, value in result.items() if value is not None}


def due(
    wanted: Mapping[str, Any], live: Mapping[str, Any], since_last_write: float | None
) -> float | None:
    """Seconds until `wanted` is worth writing; None: it says nothing that `live` does not."""
    if _reduced(wanted, figures=True) == _reduced(live, figures=True):
        return None
    if not brings_only_figures(wanted, live):
        return 0.0
    return (
        0.0 if since_last_write is None else max(FIGURES_INTERVAL_SECONDS - since_last_write, 0.0)
    )


def brings_only_figures(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """A change that nobody waits for: numbers that moved, in messages too."""
    return bool(_reduced(wanted, figures=False) == _reduced(live, figures=False))


def _group(group: GroupPlan) -> dict[str, Any]:
    view = group.view
    backlog = view.backlog
    entry: dict[str, Any] = {
        "name": view.group.name,
        "consumerGroup": view.group.consumer_group_name,
        "deployment": view.deployment,
        "replicas": len(view.pods),
        "readyReplicas": len(view.ready_pods),
        "desiredReplicas": group.wanted_replicas,
    }
    if backlog is not None and backlog.exists:
        age = backlog.oldest_age_s
        entry |= {
            "lag": backlog.lag,
            "lagSource": f"{backlog.quality.value}: {backlog.source}",
            "pending": backlog.pending,
            "parked": backlog.parked,
            "oldestAgeSeconds": int(age) if age is not None else None,
            "floorId": backlog.floor_id,
        }
    return {name: value for name, value in entry.items() if value is not None}


def _stream(observation: Observation, backlog: StreamBacklog) -> dict[str, Any]:
    added, full_in = backlog.entries_added, observation.memory_full_in
    stream = {
        "length": backlog.length,
        # XSETID may set it higher than the schema takes, which would refuse the whole status.
        "entriesAdded": None if added is None else min(added, MAX_COUNT),
        "firstId": backlog.first_id,
        "lastId": backlog.last_id,
        "bytes": observation.stream_bytes,
        "memoryFullIn": None if full_in is None else _rounded(full_in),
    }
    return {name: value for name, value in stream.items() if value is not None}


def _rounded(seconds: float) -> str:
    """Whole minutes up to two hours, then whole hours."""
    unit = timedelta(minutes=1) if seconds < 7_200 else timedelta(hours=1)
    return format_duration(timedelta(seconds=seconds) // unit * unit)


def _total(entries: Sequence[Mapping[str, Any]], name: str) -> int | None:
    """A sum that leaves a group out would be wrong: None as soon as one is unknown."""
    values = [entry.get(name) for entry in entries]
    return None if None in values else sum(v for v in values if v is not None)


def _reduced(status: Any, *, figures: bool) -> Any:
    """What a comparison looks at: times never count, how long something is only when it doubles."""
    if isinstance(status, dict | Mapping):  # the first is tried first, and is far cheaper
        return {
            name: (
                _LENGTHS[name](value).bit_length()
                if name in _LENGTHS
                else _reduced(value, figures=figures)
            )
            for name, value in status.items()
            if name != "lastTransitionTime" and (figures or name not in _FIGURES)
        }
    if isinstance(status, list | tuple):
        return [_reduced(item, figures=figures) for item in status]
    return status
