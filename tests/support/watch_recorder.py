"""Follows every object of a kind in a namespace, from a thread, for as long as a test looks on."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from headrace_operator.kube.kinds import Kind
from tests.support.kube import Kube


class Followed:
    """`note` is told of all there is, then of every change, to the last one before the end."""

    def __init__(self, kube: Kube, kind: Kind, namespace: str) -> None:
        self._kube = kube
        self._kind = kind
        self._namespace = namespace
        self._stop = threading.Event()
        self._since = "0"
        self._newest = 0
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def note(self, change: str, seen: dict[str, Any]) -> None:
        """`change` is the watch's own word: ADDED, MODIFIED, DELETED."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        there = self._kube.list(self._kind, self._namespace)
        self._newest = max((int(one["metadata"]["resourceVersion"]) for one in there), default=0)
        self._stop.set()
        self._thread.join(30)

    def _follow(self) -> None:
        last = False
        while not last:
            last = self._stop.is_set()  # one more turn after the end, for what was deleted
            for change, seen in self._kube.watch(
                self._kind, self._namespace, self._since, quiet=0.5
            ):
                if change == "ERROR":  # the API server has forgotten what came after
                    self._since = "0"
                    break
                self._since = seen["metadata"]["resourceVersion"]
                self.note(change, seen)
            # A busy API server may be silent for longer than a turn.
            last = last and int(self._since) >= self._newest
