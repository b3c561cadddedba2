"""Everything that became of a namespace's pods, from a watch: nothing is missed."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from types import TracebackType
from typing import Any

from headrace_operator.kinds import POD
from headrace_operator.plan.pods import DELETION_COST
from tests.support.kube import Kube


class PodHistory:
    """By pod: its last object, the deletion costs it had in their order, and when it was to end.

    told: (when it was told to end, to the second; when its grace is over). gone: when it was.

    Seconds are of the Unix clock. Complete after the ``with`` block; inside it a moment behind.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.last: dict[str, dict[str, Any]] = {}
        self.costs: dict[str, list[str | None]] = {}
        self.told: dict[str, tuple[float, float]] = {}
        self.gone: dict[str, float] = {}
        self._kube = kube
        self._namespace = namespace
        self._stop = threading.Event()
        self._since = "0"
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> PodHistory:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(30)

    def _follow(self) -> None:
        last = False
        while not last:
            last = self._stop.is_set()  # one more turn after the end, for what is under way
            for kind, pod in self._kube.watch(POD, self._namespace, self._since, quiet=0.5):
                if kind == "ERROR":  # the API server has forgotten what came after
                    self._since = "0"
                    break
                self._since = pod["metadata"]["resourceVersion"]
                self._note(kind, pod)

    def _note(self, kind: str, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        cost = (pod["metadata"].get("annotations") or {}).get(DELETION_COST)
        costs = self.costs.setdefault(name, [])
        if costs[-1:] != [cost]:
            costs.append(cost)
        self.last[name] = pod
        self._note_end(name, pod["metadata"])
        if kind == "DELETED":
            self.gone[name] = time.time()

    def _note_end(self, name: str, metadata: dict[str, Any]) -> None:
        """The first word counts: at the end the kubelet deletes once more, without grace."""
        if "deletionTimestamp" in metadata and name not in self.told:
            until = datetime.fromisoformat(metadata["deletionTimestamp"]).timestamp()
            self.told[name] = (until - metadata["deletionGracePeriodSeconds"], until)
