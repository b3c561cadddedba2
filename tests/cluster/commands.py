"""Runs a program to its end; a failure becomes a sentence that carries what the program said."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float = 3600,
) -> str:
    """Run `argv` and return its standard output; raises ClusterError on a non-zero exit."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            env=None if env is None else dict(env),
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise ClusterError(f"{words[0]} is not installed on this machine.") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"`{' '.join(words[:4])} ...` did not end in {timeout:.0f} s.") from None
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise ClusterError(f"`{' '.join(words)[:300]}` failed ({done.returncode}):\n{said}")
    return done.stdout
