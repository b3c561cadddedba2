"""Groups that left the spec under Retain and are still in Redis: they hold trimming back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headrace_operator.plan.observation import Observation
from headrace_operator.plan.removed_groups import GroupRemoval

# As many as the status may list; of more the newest are listed.
MAX_LISTED = 64


@dataclass(frozen=True, slots=True)
class Orphans:
    """`listed`: (name, consumer group), the newest last. `count`: also those not listed."""

    listed: tuple[tuple[str, str], ...]
    count: int

    def as_status(self) -> dict[str, Any]:
        if not self.listed:
            return {}
        entries = [{"name": name, "consumerGroup": group} for name, group in self.listed]
        more = {"orphanedGroupCount": self.count} if self.count > len(entries) else {}
        return {"orphanedGroups": entries, **more}


def find_orphans(observation: Observation, removals: Iterable[GroupRemoval]) -> Orphans:
    """Those of the live status and the new ones, without what came back or left Redis."""
    known = observation.live_status.get("orphanedGroups") or ()
    found = {entry["consumerGroup"]: entry["name"] for entry in known}
    unlisted = max(observation.live_status.get("orphanedGroupCount", 0) - len(found), 0)
    for removal in removals:
        if removal.orphaned:
            found.setdefault(removal.consumer_group, removal.group)
    spec = {group.consumer_group_name for group in observation.pipeline.spec.groups}
    kept = [
        (name, group)
        for group, name in found.items()
        if group not in spec and not _is_gone(observation, group)
    ]
    return Orphans(tuple(kept[-MAX_LISTED:]), len(kept) + unlisted)


def _is_gone(observation: Observation, group: str) -> bool:
    """Redis was asked and has no such group."""
    backlog = observation.backlog
    if backlog is None or backlog.error is not None or observation.redis_error is not None:
        return False
    reading = backlog.groups.get(group)
    return reading is not None and not reading.exists
