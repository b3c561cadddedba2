"""Prometheus and promtool of Debian, unpacked and run with their own libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster.images import debian


def promtool(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool in a directory; its output is for the assertion's message."""
    command = debian.own_loader(debian.unpacked(debian.PROMETHEUS), "promtool")
    return subprocess.run(
        [*command, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
