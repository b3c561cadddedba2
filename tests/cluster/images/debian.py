"""Packages of Debian, unpacked or as a root file system, from the mirror apt is set to."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import cached, packages
from tests.cluster.commands import run
from tests.cluster.errors import ClusterError

SUITE = "trixie"
# For servers that are to be tried in their newest version. It changes daily, so that a mirror that
# stands still is past its date; what it serves is signed all the same.
NEWEST = "forky"
SERVERS = ("valkey-server", "redis-server")
PROMETHEUS = ("prometheus",)  # with promtool


def mirror() -> list[str]:
    """The Debian mirror of this machine's apt; none, and so mmdebstrap's own choice, where apt
    serves another system."""
    with contextlib.suppress(ClusterError):
        wanted = "$(REPO_URI) $(ORIGIN) $(RELEASE) $(COMPONENT)"
        targets = run(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"])
        if chosen := chosen_mirror(targets):
            return [chosen]
    return []


def chosen_mirror(targets: str) -> str | None:
    """The first address among apt's targets that serves Debian's main archive."""
    for line in targets.splitlines():
        address = line.split(" ")[0].rstrip("/")
        if re.search(r"/debian$", address):
            return address
    return None


def unpacked(names: Sequence[str], suite: str = SUITE) -> Path:
    """A directory with these packages and what they depend on, unpacked and not configured."""

    def unpack(target: Path) -> None:
        _mmdebstrap("extract", names, target, suite)

    return cached.directory(f"{names[0]}-{suite}", ["extract", suite, *names], unpack)


def root_file_system(names: Sequence[str], target: Path) -> None:
    """A tar file of a minimal system with these packages."""
    _mmdebstrap("minbase", names, target)


def own_loader(root: Path, program: str) -> list[str]:
    """The start of a command line that runs `program` of `root` with the libraries of `root`."""
    loader = next(root.glob("usr/lib/*/ld-linux-*.so.*"), None)
    if loader is None:
        raise ClusterError(f"{root} holds no loader: delete it, and it is unpacked again.")
    return [str(loader), "--library-path", str(loader.parent), str(root / "usr/bin" / program)]


def _mmdebstrap(variant: str, names: Sequence[str], target: Path, suite: str = SUITE) -> None:
    packages.install_missing(packages.IMAGES)
    run(
        [
            "mmdebstrap",
            f"--variant={variant}",
            f"--include={','.join(names)}",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            *(['--aptopt=Acquire::Check-Valid-Until "false"'] if suite == NEWEST else []),
            suite,
            target,
            *mirror(),
        ],
        # Reproducible: the same packages make the same bytes.
        env={**os.environ, "SOURCE_DATE_EPOCH": "1735689600", "LC_ALL": "C.UTF-8"},
    )
