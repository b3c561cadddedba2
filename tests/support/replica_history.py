"""Every number of replicas that a Deployment ever asked for, from a watch: nothing is missed."""

from __future__ import annotations

import threading
from collections import defaultdict
from types import TracebackType
from typing import Any

from headrace_operator.kinds import DEPLOYMENT
from tests.support.kube import Kube


class ReplicaHistory:
    """``numbers[name]``: the values of spec.replicas in their order, repetitions left out.

    Complete after the ``with`` block.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.numbers: defaultdict[str, list[int]] = defaultdict(list)
        self._kube = kube
        self._namespace = namespace
        self._stop = threading.Event()
        self._since = "0"  # the API server tells of everything there is, then of every change
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> ReplicaHistory:
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
            changes = self._kube.watch(DEPLOYMENT, self._namespace, self._since, quiet=0.5)
            for kind, deployment in changes:
                if kind == "ERROR":  # the API server has forgotten what came after
                    self._since = "0"
                    break
                self._since = deployment["metadata"]["resourceVersion"]
                if kind != "DELETED":
                    self._note(deployment)

    def _note(self, deployment: dict[str, Any]) -> None:
        numbers = self.numbers[deployment["metadata"]["name"]]
        if numbers[-1:] != [deployment["spec"]["replicas"]]:
            numbers.append(deployment["spec"]["replicas"])
