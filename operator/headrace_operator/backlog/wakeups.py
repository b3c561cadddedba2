"""When is a new reading of the backlog worth a look at the pipeline? Pure.

At once: when more workers may be needed, or when the backlog becomes known or unknown. Everything
else (fewer entries, moving figures) waits for `WAKE_INTERVAL_SECONDS`: going down is never urgent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import ceil

from headrace.streams.backlog import GroupBacklog, StreamBacklog
from headrace.streams.durability import Risk

WAKE_INTERVAL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest answer: either a backlog or why there is none. `clock`: monotonic seconds.

    `risk`: how the server may lose the stream by itself. `stream_bytes` and `memory_full_in`
    (seconds) are of the last minute; None where they are not known.
    `refused`: the server answered and said no (credentials, rights), so waiting does not help.
    """

    backlog: StreamBacklog | None
    error: str | None
    clock: float
    refused: bool = False
    risk: Risk | None = None
    stream_bytes: int | None = None
    memory_full_in: float | None = None


@dataclass(frozen=True, slots=True)
class ScalingTarget:
    """How a group's workers follow its backlog: targetBacklog and maxReplicas."""

    target: int = 1
    max_replicas: int = 1_000_000

    def of(self, backlog: GroupBacklog) -> int | None:
        """The workers that this backlog asks for; None while it is unknown."""
        if not backlog.exists or backlog.ready is None:
            return None
        return min(ceil(max(backlog.ready, 0) / self.target), self.max_replicas)


class Urgency(Enum):
    NONE = 0
    LATER = 1
    NOW = 2


def urgency(
    reported: Reading | None, new: Reading, targets: Mapping[str, ScalingTarget]
) -> Urgency:
    """`reported`: the reading that the pipeline was last looked at with."""
    if reported is None or (reported.error, reported.risk) != (new.error, new.risk):
        return Urgency.NOW
    before, after = reported.backlog, new.backlog
    if before is None or after is None:
        return Urgency.NONE if before is after else Urgency.NOW
    if before.error != after.error or before.groups.keys() != after.groups.keys():
        return Urgency.NOW
    if any(
        _group_is_urgent(old, after.groups[name], targets.get(name, ScalingTarget()))
        for name, old in before.groups.items()
    ):
        return Urgency.NOW
    return Urgency.NONE if _figures(before) == _figures(after) else Urgency.LATER


def _group_is_urgent(old: GroupBacklog, new: GroupBacklog, step: ScalingTarget) -> bool:
    if (old.exists, old.quality, old.ahead_of_stream, old.owner) != (
        new.exists,
        new.quality,
        new.ahead_of_stream,
        new.owner,
    ):
        return True
    was, wants = step.of(old), step.of(new)
    return was is not None and wants is not None and wants > was


def _figures(backlog: StreamBacklog) -> object:
    """What people read in the status; the passing of time alone changes none of it."""
    groups = [
        (name, g.lag, g.pending, g.parked, g.due_now, g.next_due_ms is None, g.floor_id)
        for name, g in sorted(backlog.groups.items())
    ]
    return backlog.length, backlog.entries_added, backlog.dead_letters, backlog.last_id, groups
