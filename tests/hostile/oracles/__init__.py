"""What must hold whatever people do. Each oracle answers with sentences; none means all is well."""

from __future__ import annotations

from dataclasses import dataclass

from headrace_operator.reconcile import work_queue

LONGEST_BACK_OFF_SECONDS = work_queue.LONGEST_BACK_OFF_SECONDS * (1 + work_queue.JITTER)
"""So late may the operator look after a refusal."""


FAULT = "no fault of ours"
"""The oracle that sees tracebacks: what else such an operator does proves nothing."""


@dataclass(frozen=True)
class Violation:
    """`oracle` is one of the names in the table of docs/hostile.md."""

    oracle: str
    what: str

    def __str__(self) -> str:
        return f"{self.oracle}: {self.what}"
