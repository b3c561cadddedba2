"""Everything that became of a namespace's pods, from a watch: nothing is missed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from headrace_operator.kube.kinds import POD
from headrace_operator.plan.pod_health import DELETION_COST
from tests.support.kube import Kube
from tests.support.watch_recorder import Followed


class PodHistory(Followed):
    """By pod: its last object, the deletion costs it had in their order, and when it was to end.

    told: (when it was told to end, to the second; when its grace is over). gone: when it was.

    Seconds are of the Unix clock. Complete after the ``with`` block; inside it a moment behind.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        super().__init__(kube, POD, namespace)
        self.last: dict[str, dict[str, Any]] = {}
        self.costs: dict[str, list[str | None]] = {}
        self.told: dict[str, tuple[float, float]] = {}
        self.gone: dict[str, float] = {}

    def note(self, change: str, seen: dict[str, Any]) -> None:
        name = seen["metadata"]["name"]
        cost = (seen["metadata"].get("annotations") or {}).get(DELETION_COST)
        costs = self.costs.setdefault(name, [])
        if costs[-1:] != [cost]:
            costs.append(cost)
        self.last[name] = seen
        self._note_end(name, seen["metadata"])
        if change == "DELETED":
            self.gone[name] = time.time()

    def _note_end(self, name: str, metadata: dict[str, Any]) -> None:
        """The first word counts: at the end the kubelet deletes once more, without grace."""
        if "deletionTimestamp" in metadata and name not in self.told:
            until = datetime.fromisoformat(metadata["deletionTimestamp"]).timestamp()
            self.told[name] = (until - metadata["deletionGracePeriodSeconds"], until)
