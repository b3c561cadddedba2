"""Who keeps taking fields from us? Counted, so that a fight ends in a sentence, not in a loop.

A field that the same other manager took more than 3 times in 10 minutes is in conflict: its child
is then put right only once in 10 minutes, and the status names field and manager. The conflict is
over when a try has lasted for 10 minutes. A change of our own is applied in any case.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from headrace_operator import metrics
from headrace_operator.kube.apply_diff import Difference
from headrace_operator.plan.observation import ChildRef, FieldConflict

LOSSES = 3
WINDOW_SECONDS = 600.0
# So many managers have a sample of their own in the metric.
MAX_LABELS = 20
_labels: set[str] = set()


class Conflicts:
    """Memory of one pipeline. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._losses: dict[FieldConflict, deque[float]] = {}
        self._fought: dict[FieldConflict, float] = {}  # -> when it was last put right

    def allow(self, child: ChildRef, differences: Sequence[Difference]) -> bool:
        """May the child be put right now?"""
        now = self._clock()
        taken = _taken(child, differences)
        ours_to_change = len(taken) < len(differences)
        waiting = any(
            now - self._fought.get(conflict, -WINDOW_SECONDS) < WINDOW_SECONDS for conflict in taken
        )
        return ours_to_change or not waiting

    def count(self, child: ChildRef, differences: Sequence[Difference]) -> None:
        """The child was put right: its taken fields had been lost once more."""
        for conflict in _taken(child, differences):
            metrics.CONFLICTS.labels(_label(conflict.manager)).inc()
            self._count(conflict, self._clock())

    def standing(self) -> tuple[FieldConflict, ...]:
        """The conflicts that hold now."""
        now = self._clock()
        for conflict, losses in list(self._losses.items()):
            if now - losses[-1] > WINDOW_SECONDS:
                del self._losses[conflict]
        for conflict, tried in list(self._fought.items()):
            if now - tried > 2 * WINDOW_SECONDS:
                del self._fought[conflict]
        return tuple(self._fought)

    def _count(self, conflict: FieldConflict, now: float) -> None:
        if conflict in self._fought:
            self._fought[conflict] = now
            return
        losses = self._losses.setdefault(conflict, deque(maxlen=LOSSES + 1))
        losses.append(now)
        if len(losses) > LOSSES and now - losses[0] <= WINDOW_SECONDS:
            self._fought[conflict] = now
            del self._losses[conflict]


def _label(manager: str) -> str:
    """A manager's name is any client's choice: a metric has room for the first few."""
    if manager in _labels or len(_labels) < MAX_LABELS:
        _labels.add(manager)
        return manager
    return "others"


def _taken(child: ChildRef, differences: Sequence[Difference]) -> list[FieldConflict]:
    return [
        FieldConflict(child, str(difference), difference.taken_by)
        for difference in differences
        if difference.taken_by is not None
    ]
