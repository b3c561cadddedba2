"""What this machine must be, each lack said in one sentence that also names the way around it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.cluster.errors import ClusterError

INSTEAD = (
    "Or set HEADRACE_KUBECONFIG to the kubeconfig of a cluster you have "
    "(kind, k3d, minikube, a real one)."
)
CAP_SYS_RESOURCE = 24


def check() -> None:
    """Raise ClusterError with the first thing that is missing."""
    lack = missing(
        platform=sys.platform,
        root=os.geteuid() == 0,
        commands={name for name in ("go", "openssl") if shutil.which(name)},
    )
    if lack:
        raise ClusterError(f"{lack} {INSTEAD}")


def missing(*, platform: str, root: bool, commands: set[str]) -> str | None:
    """The sentence about the first lack, None when nothing is missing."""
    if platform != "linux":
        return "The local Kubernetes needs Linux: it runs containers in this machine's kernel."
    if not root:
        return "The local Kubernetes needs root: run the same command with sudo."
    if "go" not in commands:
        return "The local Kubernetes is built with Go 1.21 or newer: install it from go.dev/dl."
    if "openssl" not in commands:
        return "The local Kubernetes needs the openssl command: install the package openssl."
    return None


def has_capability(number: int) -> bool:
    """Whether this process has the capability of that number in its effective set."""
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> number & 1)


def filesystem(path: Path) -> str:
    """The type of the file system that holds `path`, as in /proc/mounts."""
    best, kind = "", ""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, this = line.split(" ")[:3]
        inside = str(path) == mount or str(path).startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, this
    return kind
