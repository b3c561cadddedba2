"""How long our scripts blocked the server: its SLOWLOG, with the scripts' names.

The bound is 5 ms. What writes payloads may take longer by their bytes: the server copies each a few
times on its way through a script. A SLOWLOG counts wall time, so what the server waited for a
processor is taken off: on a busy machine that is most of it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

BOUND_MS = 5.0
MS_PER_MB = 4.0
CARRIES = frozenset({"commit", "replay", "send"})
"""Scripts that write payloads. All others know only ids and numbers."""
SLACK = 2
"""So many slower calls of a script are the machine's: what a page fault or a hypervisor takes is in
nobody's books."""
NAMES = """
import json
from headrace.streams import script
files = (script.Path(script.__file__).parent / "lua").glob("*.lua")
print(json.dumps({script.Script(file.stem).sha: file.stem for file in files}))
"""


@dataclass
class SlowScripts:
    """Gathers what one server's SLOWLOG says. `megabytes`: most that one call may carry."""

    environment: Mapping[str, str]
    """Of the workers."""
    megabytes: float = 0.0
    found: dict[str, list[float]] = field(default_factory=dict)
    """Script -> milliseconds of the calls that took longer than its bound."""

    def __post_init__(self) -> None:
        self._names = _names(self.environment)
        self._waits: deque[tuple[float, float]] = deque(maxlen=20_000)
        self._waited: dict[int, float] = {}

    def note_wait(self, pid: int) -> None:
        """Remember how long the server has waited for a processor; called many times a second."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            total = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e6
            self._waits.append((time.time(), total - self._waited.get(pid, total)))
            self._waited[pid] = total

    def gather(self, client: redis.Redis) -> None:
        """Take what the SLOWLOG holds, and clear it."""
        for entry in client.execute_command("SLOWLOG", "GET", "-1"):
            _, second, microseconds, words, *_ = entry
            name = self._script(words)
            took = microseconds / 1000 - self._most_waited(second)
            bound = BOUND_MS + (MS_PER_MB * self.megabytes if name in CARRIES else 0.0)
            if name and took > bound:
                self.found.setdefault(name, []).append(took)
        client.execute_command("SLOWLOG", "RESET")

    def broken(self) -> list[str]:
        """One sentence for each script over its bound."""
        return [
            f"{name} took up to {max(times):.1f} ms, {len(times)} times over its bound"
            for name, times in sorted(self.found.items())
            if len(times) > SLACK
        ]

    def _script(self, words: list[bytes]) -> str | None:
        if not words or words[0].upper() not in (b"EVALSHA", b"EVALSHA_RO"):
            return None
        return self._names.get(words[1].decode())

    def _most_waited(self, second: int) -> float:
        """Milliseconds: the longest wait of those in which a call of that second may have begun."""
        return max(
            (waited for at, waited in list(self._waits) if second - 1 <= at <= second + 2),
            default=0,
        )


def _names(environment: Mapping[str, str]) -> dict[str, str]:
    """SHA-1 -> name, of the scripts of the package that runs."""
    answer = subprocess.run(
        [sys.executable, "-c", NAMES], env=environment, capture_output=True, check=True
    )
    return json.loads(answer.stdout)
