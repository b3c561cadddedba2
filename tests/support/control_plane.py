"""A control plane of the session's own: etcd, API server, controllers, scheduler, and no node.

Name the fixture in a test, and import it in the tier's conftest.py:
`from tests.support.control_plane import control_plane`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import binaries, existing, lifecycle
from tests.cluster.commands import run
from tests.cluster.instances import Owner


@dataclass(frozen=True)
class ControlPlane:
    """`kubeconfig` is the administrator's; `kubectl` a program of the server's version."""

    kubeconfig: Path
    kubectl_path: Path

    @property
    def audit_log(self) -> Path:
        """What ServiceAccounts asked of the API server; a cluster of the user's own has none."""
        return self.kubeconfig.parent / "audit.log"

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of kubectl; raises ClusterError with what it said when it fails."""
        return run([self.kubectl_path, f"--kubeconfig={self.kubeconfig}", *arguments], stdin=stdin)


@contextlib.contextmanager
def running(purpose: str = "tests") -> Iterator[ControlPlane]:
    """A fresh control plane (3 to 8 s), gone at the end; what a killed run left goes first.

    A process may have several, each with a purpose of its own.
    """
    if outside := existing.kubeconfig():
        existing.check(outside)
        yield ControlPlane(outside, existing.kubectl())
        return
    # One per test process: pytest-xdist's processes do not meet.
    instance = lifecycle.up(f"{purpose}-{os.getpid()}", node=False, owner=Owner.current())
    try:
        yield ControlPlane(instance.kubeconfig, binaries.kubectl())
    finally:
        lifecycle.down(instance)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One for the whole session."""
    with running() as plane:
        yield plane
