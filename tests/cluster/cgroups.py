"""The cgroup of one cluster: every process it starts, daemon or container, stands below it.

That makes the end of a cluster certain: what is in the tree is killed, whoever its parent is.
cgroup v1 has one tree per controller, v2 has one; a machine may have both.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.cluster.errors import ClusterError

DAEMONS = "daemons"


def roots() -> list[Path]:
    """The mount points of all cgroup trees, the one that daemons join first."""
    found: list[tuple[int, Path]] = []
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, options = line.split(" ")[:4]
        if kind == "cgroup2":
            found.append((0, Path(mount)))
        elif kind == "cgroup":
            found.append((1 if "pids" in options.split(",") else 2, Path(mount)))
    if not found:
        raise ClusterError(
            "No cgroup tree is mounted here, so containers cannot run; use a machine with "
            "/sys/fs/cgroup, or set HEADRACE_KUBECONFIG to the kubeconfig of another cluster."
        )
    return [path for _, path in sorted(found, key=lambda one: one[0])]


def indexes() -> set[int]:
    """Indexes of the clusters that have a cgroup here, whole or in ruins."""
    names = [cgroup.name for root in roots() for cgroup in root.glob("headrace-*")]
    return {int(index) for name in names if (index := name.rpartition("-")[2]).isdigit()}


def create(name: str) -> Path:
    """Make the cluster's cgroup in every tree; returns the file through which daemons join it."""
    trees = roots()
    for root in trees:
        cgroup = root / name
        cgroup.mkdir(exist_ok=True)
        if (root / "cgroup.subtree_control").exists():
            for parent in (root, cgroup):
                _delegate(parent)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 cpuset: nothing may run
            if (root / "tasks").exists() and (root / setting).exists():
                (cgroup / setting).write_text((root / setting).read_text())
    daemons = trees[0] / name / DAEMONS
    daemons.mkdir(exist_ok=True)
    return daemons / "cgroup.procs"


def processes(name: str) -> set[int]:
    """Ids of all processes in the cluster's cgroup, in any tree."""
    found: set[int] = set()
    for root in roots():
        for file in (root / name).rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found.update(int(line) for line in file.read_text().split())
    return found - {0}


def kill(name: str, *, timeout: float = 30) -> None:
    """SIGKILL everything in the cluster's cgroup until nothing is left."""
    deadline = time.monotonic() + timeout
    while left := processes(name):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"Processes {sorted(left)} of cgroup {name} do not die; see `ps`.")
        time.sleep(0.02)


def remove(name: str, *, timeout: float = 10) -> None:
    """Delete the cluster's empty cgroup from every tree."""
    deadline = time.monotonic() + timeout
    for root in roots():
        top = root / name
        while top.exists():
            below = sorted((path.parent for path in top.rglob("cgroup.procs")), reverse=True)
            for cgroup in below:
                with contextlib.suppress(OSError):  # busy until the kernel has buried the last one
                    cgroup.rmdir()
            if top.exists():
                if time.monotonic() > deadline:
                    raise ClusterError(f"cgroup {top} cannot be removed: something still uses it.")
                time.sleep(0.02)


def _delegate(cgroup: Path) -> None:
    for controller in (cgroup / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):  # a controller that this machine does not delegate
            (cgroup / "cgroup.subtree_control").write_text(f"+{controller}")
