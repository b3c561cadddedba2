"""Every number of replicas that a Deployment ever asked for, from a watch: nothing is missed."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from headrace_operator.kube.kinds import DEPLOYMENT
from tests.support.kube import Kube
from tests.support.watch_recorder import Followed


class ReplicaHistory(Followed):
    """``numbers[name]``: the values of spec.replicas in their order, repetitions left out.

    Complete after the ``with`` block.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        super().__init__(kube, DEPLOYMENT, namespace)
        self.numbers: defaultdict[str, list[int]] = defaultdict(list)

    def note(self, change: str, seen: dict[str, Any]) -> None:
        numbers = self.numbers[seen["metadata"]["name"]]
        if change != "DELETED" and numbers[-1:] != [seen["spec"]["replicas"]]:
            numbers.append(seen["spec"]["replicas"])
