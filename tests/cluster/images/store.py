"""Runs buildah on a storage of our own in the cache, apart from the user's images.

Each run has a mount namespace of its own, so that nothing stays mounted; one runs at a time.
"""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

from tests.cluster import packages, paths, requirements
from tests.cluster.commands import run

KEPT = 4


def buildah(*arguments: str | Path) -> str:
    """Standard output of `buildah ARGUMENTS`; raises ClusterError."""
    packages.install_missing(packages.IMAGES)
    home = paths.cache() / "images"
    storage = home / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    # Overlay file systems cannot be stacked on one another, as in a container.
    driver = "vfs" if requirements.filesystem(storage) in {"overlay", "aufs"} else "overlay"
    with (home / "lock").open("w") as lock, tempfile.TemporaryDirectory() as running:
        fcntl.flock(lock, fcntl.LOCK_EX)
        private = ["unshare", "--mount", "--propagation", "slave"]
        own: list[str | Path] = [
            "--root",
            storage,
            "--runroot",
            running,
            "--storage-driver",
            driver,
        ]
        return run([*private, "buildah", *own, *arguments])


def has(reference: str) -> bool:
    """Whether the storage holds an image of this name."""
    return bool(buildah("images", "--noheading", "--filter", f"reference={reference}").strip())


def archive(reference: str) -> Path:
    """The image as a docker archive in the cache, written once per content."""
    inspected = buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", reference)
    name = reference.rpartition("/")[2].replace(":", "-")
    target = paths.cache() / "images" / f"{name}-{inspected.strip()[:16]}.tar"
    if not target.exists():
        unfinished = target.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        buildah("push", "--quiet", reference, f"docker-archive:{unfinished}:{reference}")
        unfinished.replace(target)
        _forget_old(target.parent, name)
    return target


def _forget_old(directory: Path, name: str) -> None:
    """Keep the newest archives of a name: other checkouts may be about to load theirs."""
    found = sorted(directory.glob(f"{name}-*.tar"), key=lambda path: path.stat().st_mtime)
    for path in found[:-KEPT]:
        path.unlink(missing_ok=True)
