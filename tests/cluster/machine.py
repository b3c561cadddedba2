"""What all clusters of this machine share, removed when the last one ends."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.cluster import instances, paths
from tests.cluster.commands import run
from tests.cluster.network import NAMESPACES
from tests.cluster.processes import PRIVATE


def tidy() -> None:
    """Remove mount points and directories that nobody uses, unless a cluster is left.

    Not earlier: removing a directory that is empty here unmounts what a cluster has laid over it.
    """
    with instances.locked("allocation"):
        if instances.listed():
            return
        for path in PRIVATE:
            with contextlib.suppress(OSError):  # something else is in it
                Path(path).rmdir()
        # `ip netns` mounts its directory on itself and leaves that behind.
        if NAMESPACES.is_dir() and not any(NAMESPACES.iterdir()):
            if _mounted(NAMESPACES):
                run(["umount", NAMESPACES])
            NAMESPACES.rmdir()
        for lock in (paths.state() / "locks").iterdir():
            if lock.name != "allocation":
                lock.unlink()


def _mounted(path: Path) -> bool:
    mounts = Path("/proc/mounts").read_text().splitlines()
    return any(line.split(" ")[1] == str(path) for line in mounts)
