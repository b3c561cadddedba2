"""kubectl as a user runs it: what it prints is what people read."""

import json
import subprocess
from pathlib import Path
from typing import Any


class Kubectl:
    """Runs kubectl against one API server."""

    def __init__(self, kubeconfig: Path, program: Path = Path("kubectl")) -> None:
        self.kubeconfig = kubeconfig
        self.program = program

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output; AssertionError with what it said when it fails."""
        result = self.attempt(*arguments, stdin=stdin)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def attempt(
        self, *arguments: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Also when it fails."""
        return subprocess.run(
            [str(self.program), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def get(self, *arguments: str) -> Any:
        """The object, parsed."""
        return json.loads(self("get", *arguments, "-o", "json"))
