"""A real node for the end-to-end tests: the one that `make cluster-up` booted, or a new one.

Name the fixture in a test, and import it in the tier's conftest.py:
`from tests.support.cluster import cluster`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import binaries, existing, instances, lifecycle
from tests.cluster.commands import run
from tests.cluster.instances import Instance, Owner


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs pods; `instance` is None for a cluster of the user's own."""

    kubeconfig: Path
    kubectl_path: Path
    instance: Instance | None

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of kubectl; raises ClusterError with what it said when it fails."""
        return run([self.kubectl_path, f"--kubeconfig={self.kubeconfig}", *arguments], stdin=stdin)

    def load(self, archive: Path) -> None:
        """Give an image archive to the cluster's nodes."""
        if self.instance is None:
            existing.load(self.kubeconfig, archive)
        else:
            lifecycle.load(self.instance, archive)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The running cluster of this checkout, left as it is; else one that ends with the session."""
    if outside := existing.kubeconfig():
        existing.check(outside)
        yield Cluster(outside, existing.kubectl(), None)
        return
    running = instances.find(lifecycle.DEFAULT)
    if running is not None and running.node and lifecycle.healthy(running):
        yield Cluster(running.kubeconfig, binaries.kubectl(), running)
        return
    instance = lifecycle.up(owner=Owner.current())
    try:
        yield Cluster(instance.kubeconfig, binaries.kubectl(), instance)
    finally:
        lifecycle.down(instance)
