"""Debian packages that the cluster uses, installed when a command of theirs is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.requirements import INSTEAD

# A command, or a file, that shows the package is there -> the package.
CONTROL_PLANE = {"ip": "iproute2"}
NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ethtool": "ethtool",
    "socat": "socat",
}
IMAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
REDIS = {"redis-server": "redis-server"}

POLICY = Path("/usr/sbin/policy-rc.d")


def install_missing(*wanted: dict[str, str]) -> list[str]:
    """Install the packages whose command is missing; returns their names."""
    packages = [
        package
        for group in wanted
        for sign, package in group.items()
        if not (Path(sign).exists() if sign.startswith("/") else _found(sign))
    ]
    if not packages:
        return []
    if not shutil.which("apt-get"):
        raise ClusterError(
            f"These packages are missing, and without apt-get they cannot be installed by "
            f"themselves: {', '.join(packages)}. {INSTEAD}"
        )
    print(f"Installing {', '.join(packages)} ...", file=sys.stderr, flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-qq", "--no-install-recommends", *packages]
    with _no_service_starts():
        try:
            run(install, env=env)
        except ClusterError:  # most often package lists that are missing or out of date
            run(["apt-get", "update", "-qq"], env=env)
            run(install, env=env)
    return packages


def _found(command: str) -> bool:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return shutil.which(command, path=path) is not None


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian starts a package's daemon unless this file says that it may not."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
