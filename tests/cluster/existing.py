"""A cluster that the user has already: HEADRACE_KUBECONFIG names its kubeconfig."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.commands import run
from tests.cluster.errors import ClusterError


def kubeconfig() -> Path | None:
    """The kubeconfig of the user's own cluster, if there is one."""
    named = os.environ.get("HEADRACE_KUBECONFIG")
    return Path(named).expanduser().resolve() if named else None


def check(path: Path) -> None:
    """Raise ClusterError unless its API server answers."""
    if not path.is_file():
        raise ClusterError(f"HEADRACE_KUBECONFIG={path} is no file; unset it, or correct the path.")
    try:
        _kubectl(path, "get", "--raw", "/readyz", "--request-timeout=15s")
    except ClusterError as error:
        raise ClusterError(
            f"The cluster of HEADRACE_KUBECONFIG={path} does not answer; start it, or unset the "
            f"variable to boot a local one.\n{error}"
        ) from None


def load(path: Path, image: Path) -> None:
    """Give an image archive to the cluster's nodes, in the way of the tool that made it."""
    context = _kubectl(path, "config", "current-context").strip()
    tool, _, name = context.partition("-")
    ways: dict[str, list[str | Path]] = {
        "kind": ["kind", "load", "image-archive", image, "--name", name],
        "k3d": ["k3d", "image", "import", image, "--cluster", name],
        "minikube": ["minikube", "image", "load", image],
    }
    if tool not in ways:
        raise ClusterError(
            f"{image.name} cannot be given to the nodes of context {context!r}: push the image to "
            "a registry that they can pull from."
        )
    run(ways[tool])


def kubectl() -> Path:
    """The user's kubectl, which fits his cluster; without one, ours."""
    found = shutil.which("kubectl")
    return Path(found) if found else binaries.kubectl()


def _kubectl(path: Path, *arguments: str) -> str:
    return run([kubectl(), f"--kubeconfig={path}", *arguments], timeout=60)
