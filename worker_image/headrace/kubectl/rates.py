"""Events a second, from what statuses said one after the other. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from headrace.kubectl.program import Manifest

WINDOW_SECONDS = 60.0
"""The operator writes figures every ten seconds at most: a shorter window would jump."""


@dataclass(frozen=True, slots=True)
class Figures:
    """`at`: monotonic seconds. `added`: entries ever added. `left`: for all groups together."""

    at: float
    added: int
    left: int


class Rates:
    """Of many pipelines, by uid."""

    def __init__(self) -> None:
        self._figures: dict[str, deque[Figures]] = {}

    def add(self, pipeline: Manifest, at: float) -> None:
        """A status without these figures says nothing and is passed over."""
        status = pipeline.get("status") or {}
        added = (status.get("stream") or {}).get("entriesAdded")
        if added is None or "lag" not in status or "pending" not in status:
            return
        figures = self._figures.setdefault(pipeline["metadata"]["uid"], deque())
        if figures and added < figures[-1].added:
            figures.clear()  # the stream was made anew
        figures.append(Figures(at, added, status["lag"] + status["pending"]))
        while figures[-1].at - figures[0].at > WINDOW_SECONDS:
            figures.popleft()

    def of(self, pipeline: Manifest) -> tuple[float, float] | None:
        """Added, and settled by all groups together; None before two figures differ in time."""
        figures = self._figures.get(pipeline["metadata"]["uid"])
        if not figures or figures[-1].at <= figures[0].at:
            return None
        first, last = figures[0], figures[-1]
        seconds = last.at - first.at
        added = last.added - first.added
        groups = len(pipeline["spec"]["groups"])
        settled = max(added * groups - (last.left - first.left), 0)
        return added / seconds, settled / seconds
