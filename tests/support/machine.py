"""What a cluster could leave on the machine it ran on, without what other clusters hold there."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from tests.cluster import cgroups, instances
from tests.cluster.processes import PRIVATE, SHOWN

PROGRAMS = {"containerd", "containerd-shim", "coredns", "kubernetes", "pause", "runc"}
SHARED = [*PRIVATE[:3], "/var/log/pods", "/var/log/containers", "/usr/libexec/kubernetes"]
SYSCTLS = [*SHOWN, "net/ipv4/ip_forward"]


@dataclass(frozen=True)
class Machine:
    """Everything by its name; `rules` are iptables', `files` those in paths that runtimes share."""

    processes: frozenset[str]
    mounts: frozenset[str]
    namespaces: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]
    sysctls: frozenset[str]

    def added_since(self, before: Machine) -> dict[str, list[str]]:
        """What there is now and was not before, by kind; empty when nothing was left behind."""
        added = {
            field.name: sorted(getattr(self, field.name) - getattr(before, field.name))
            for field in fields(self)
        }
        return {kind: names for kind, names in added.items() if names}


def look(*, but: str) -> Machine:
    """The machine as it is. Clusters other than the one named `but` are looked past."""
    others = [one for one in instances.listed() if one.name != but]
    foreign = {pid for one in others for pid in cgroups.processes(one.cgroup)}
    names = [*(one.namespace for one in others), *(str(one.directory) for one in others)]
    names += [one.link for one in others]

    def own(found: Iterator[str]) -> frozenset[str]:
        return frozenset(line for line in found if not set(line.split()) & set(names))

    return Machine(
        processes=frozenset(_processes(foreign)),
        mounts=own(
            line.split(" ")[1].replace("/run/netns/", "") for line in _lines("/proc/mounts")
        ),
        namespaces=own(path.name for path in Path("/run/netns").glob("*")),
        links=own(path.name for path in Path("/sys/class/net").iterdir()),
        routes=own(iter(_said("ip", "-4", "route", "show", "table", "all"))),
        rules=frozenset(_said("iptables-save") + _said("ip6tables-save")),
        cgroups=own(cgroup.name for root in cgroups.roots() for cgroup in root.glob("*/")),
        files=frozenset(str(path) for top in SHARED for path in Path(top).rglob("*")),
        sysctls=frozenset(f"{one}={Path('/proc/sys', one).read_text().strip()}" for one in SYSCTLS),
    )


def _processes(foreign: set[int]) -> Iterator[str]:
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            name = (directory / "comm").read_text().strip()
            # A zombie is dead; when it is buried is up to the machine's init.
            dead = (directory / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            holder = (directory / "cmdline").read_bytes() == b"sleep\0infinity\0"
            ours = name in PROGRAMS or holder
            if ours and not dead and int(directory.name) not in foreign:
                yield f"{directory.name} {name}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _said(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(("#", ":"))]
