"""Results of runs, one JSON object a line, so that a long proof may be done in pieces."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.crash.report import Report
    from tests.crash.run import Run


@cache
def commit() -> str:
    """The commit that runs, with a + when the files differ from it."""

    def git(*words: str) -> str:
        answer = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
        return answer.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")


@dataclass(frozen=True)
class Result:
    """A run and its figures."""

    seed: int
    scenario: str
    kind: str
    sent: int
    effects: int
    duplicates: int
    trimmed: int
    broker_lost: int
    redeliveries: list[float]
    violations: dict[str, list[str]]
    seconds: float
    topology: str = "standalone"
    commit: str = field(default_factory=commit)

    @classmethod
    def of(cls, run: Run, report: Report, seconds: float) -> Result:
        return cls(
            run.seed,
            run.scenario,
            run.kind,
            report.sent,
            report.effects,
            report.duplicates,
            report.trimmed,
            report.broker_lost,
            [round(waited, 3) for waited in report.redeliveries],
            report.violations,
            round(seconds, 1),
            str(run.topology),
        )

    def __str__(self) -> str:
        verdict = "ok" if not self.violations else "BROKEN"
        lines = [
            f"seed {self.seed:5d} {self.scenario:10s} {self.kind:7s}"
            f" {self.topology:10s} {verdict:6s} "
            f"{self.effects} effects of {self.sent}, {self.duplicates} again, {self.seconds:.0f} s"
        ]
        for bound, examples in self.violations.items():
            lines += [f"       {bound}: {example}" for example in examples]
        return "\n".join(lines)


class Results:
    """What is known of which run; a later result of the same run stands in place of the earlier."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[tuple[int, str, str, int, str], Result] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                self._keep(Result(**json.loads(line)))

    def __contains__(self, run: Run) -> bool:
        return self._key(run) in self._known

    def __getitem__(self, run: Run) -> Result:
        return self._known[self._key(run)]

    def add(self, result: Result) -> None:
        self._keep(result)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")

    def _keep(self, result: Result) -> None:
        key = result.seed, result.scenario, result.kind, result.sent, result.topology
        self._known[key] = result

    @staticmethod
    def _key(run: Run) -> tuple[int, str, str, int, str]:
        return run.seed, run.scenario, run.kind, run.count, str(run.topology)
