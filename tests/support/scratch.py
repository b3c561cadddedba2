"""Directories for what a test starts: removed by it, or by a later run where it was killed."""

import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

_KEPT_SECONDS = 24 * 3600.0
"""For so long one can look into what a failed run left."""


def directory(kind: str) -> Path:
    """A new one, `headrace-<kind>-<process id>-...`, among the machine's temporary files."""
    _sweep()
    return Path(tempfile.mkdtemp(prefix=f"headrace-{kind}-{os.getpid()}-"))


@cache
def _sweep() -> None:
    for left in abandoned(Path(tempfile.gettempdir()), time.time()):
        shutil.rmtree(left, ignore_errors=True)


def abandoned(home: Path, now: float) -> list[Path]:
    """Those in `home` whose process is gone, untouched for a day. `now`: seconds since 1970."""
    return [
        path
        for path in home.glob("headrace-*-*-*")
        if (process := path.name.split("-")[2]).isdecimal()
        and not Path("/proc", process).exists()
        and now - path.stat().st_mtime > _KEPT_SECONDS
    ]
