"""Which clusters exist on this machine: one directory each, named by an index that is theirs alone.

The index gives a cluster all its names (network namespace, link, cgroup) and addresses, so two
checkouts never collide. A lock file serialises the choice; one more per cluster serialises its
start and end.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster import paths
from tests.cluster.subnets import Subnets, free_index, subnets

RECORD = "cluster.json"


@dataclass(frozen=True)
class Owner:
    """The process that a cluster must not outlive; `started` tells it from a reused pid."""

    pid: int
    started: int

    @classmethod
    def current(cls) -> Owner:
        return cls(os.getpid(), _start_time(os.getpid()) or 0)

    @property
    def alive(self) -> bool:
        return _start_time(self.pid) == self.started


@dataclass(frozen=True)
class Instance:
    """One cluster of this machine."""

    index: int
    name: str
    checkout: Path
    node: bool
    owner: Owner | None = None

    @property
    def directory(self) -> Path:
        return paths.state() / str(self.index)

    @property
    def namespace(self) -> str:
        return f"headrace-{self.index}"

    @property
    def link(self) -> str:
        return f"headrace{self.index}"

    @property
    def cgroup(self) -> str:
        return f"headrace-{self.index}"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        return self.directory / "containerd" / "containerd.sock"

    @property
    def subnets(self) -> Subnets:
        return subnets(self.index)

    @property
    def orphaned(self) -> bool:
        """Nobody can want it any more: its owner has died, or its checkout is gone."""
        return not self.checkout.is_dir() or (self.owner is not None and not self.owner.alive)


def listed() -> list[Instance]:
    """All clusters of this machine, whole or in ruins, by index."""
    found = [_read(record) for record in paths.state().glob(f"*/{RECORD}")]
    return sorted((one for one in found if one), key=lambda one: one.index)


def find(name: str, checkout: Path = paths.CHECKOUT) -> Instance | None:
    """The cluster of this name that belongs to this checkout."""
    return next((one for one in listed() if (one.name, one.checkout) == (name, checkout)), None)


def allocate(
    name: str, *, node: bool, owner: Owner | None, routes: Iterable[IPv4Network]
) -> Instance:
    """Give `name` of this checkout an index of its own, or the one that it has already."""
    with locked("allocation"):
        known = find(name)
        if known is None:
            index = free_index({one.index for one in listed()}, routes)
        else:
            index = known.index
        instance = Instance(index, name, paths.CHECKOUT, node, owner)
        instance.directory.mkdir(exist_ok=True, mode=0o755)
        _write(instance)
        return instance


def release(instance: Instance) -> None:
    """Give the index back; everything else of the cluster must be gone."""
    with locked("allocation"):
        if instance.directory.exists():
            shutil.rmtree(instance.directory)


def current(instance: Instance) -> bool:
    """Whether the index is this cluster's still: between two locks another may have ended it."""
    return _read(instance.directory / RECORD) == instance


@contextmanager
def locked(what: str) -> Iterator[None]:
    """Hold this machine's lock on `what`: "allocation", or the index of a cluster."""
    directory = paths.state() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / what).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(record: Path) -> Instance | None:
    try:
        known = json.loads(record.read_text())
        owner = known["owner"]
        return Instance(
            index=int(record.parent.name),
            name=known["name"],
            checkout=Path(known["checkout"]),
            node=known["node"],
            owner=None if owner is None else Owner(owner["pid"], owner["started"]),
        )
    except (OSError, ValueError, KeyError):
        return None


def _write(instance: Instance) -> None:
    owner = instance.owner
    record = {
        "name": instance.name,
        "checkout": str(instance.checkout),
        "node": instance.node,
        "owner": None if owner is None else {"pid": owner.pid, "started": owner.started},
    }
    unfinished = instance.directory / f"{RECORD}.new"
    unfinished.write_text(json.dumps(record, indent=1) + "\n")
    unfinished.replace(instance.directory / RECORD)


def _start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of `pid` (proc(5), field 22 of stat)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
