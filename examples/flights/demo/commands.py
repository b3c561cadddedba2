"""kubectl and helm as the demo calls them, and a port-forward that is over when its block ends."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CommandFailed(Exception):
    """A command of ours ended badly; the text holds what it said."""


def run(command: list[str], *, stdin: str | None = None, timeout: float = 120) -> str:
    """Standard output of a command. Raises CommandFailed with its standard error."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"no end after {timeout:.0f} s: {' '.join(command)}") from error
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One namespace of one cluster. `program`: the path of kubectl."""

    kubeconfig: Path
    namespace: str
    program: str = "kubectl"

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        return run([*self._base(), *arguments], stdin=stdin, timeout=timeout)

    def get(self, *arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self("get", *arguments, "-o", "json"))
        return answer

    def find(self, *arguments: str) -> dict[str, Any] | None:
        """The object, or None when there is none of that name."""
        text = self("get", *arguments, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def apply(self, *files: Path) -> None:
        for file in files:
            self("apply", "-f", str(file))

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[int]:
        """Give a local port that leads to `port` of `target`, for example `service/redis`."""
        command = [*self._base(), "port-forward", target, f":{port}", "--address", "127.0.0.1"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                first = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", first)
                if found is None:
                    raise CommandFailed(f"port-forward to {target}: {first.strip()}")
                yield int(found[1])
            finally:
                process.terminate()

    def _base(self) -> list[str]:
        return [self.program, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace]
