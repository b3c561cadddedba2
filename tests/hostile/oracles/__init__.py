"""What must hold whatever people do. Each oracle answers with sentences; none means all is well."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_BACK_OFF_SECONDS = 72.0
"""The work queue's longest, and its jitter: so late may the operator look after a refusal."""


@dataclass(frozen=True)
class Violation:
    """`oracle` is one of the names in the table of docs/hostile.md."""

    oracle: str
    what: str

    def __str__(self) -> str:
        return f"{self.oracle}: {self.what}"
