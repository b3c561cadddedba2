"""Starts the cluster's daemons inside its cgroup, network namespace and mount namespace.

The mount namespace keeps every mount of containerd and the kubelet off the machine's own table:
they end with the last process. It also lays private directories over the fixed paths that these
daemons write to.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cluster import cgroups, network
from tests.cluster.errors import ClusterError
from tests.cluster.instances import Instance

HOLDER = "mounts"
# Paths that containerd, CNI and the kubelet have built in, and that another runtime may use too.
PRIVATE = ["/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log"]
# The kubelet sets these for the whole machine unless they say this already; it is shown that.
SHOWN = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}

# $1 pid file, $2 cgroup.procs, $3... the command: written by the process itself, so never too late.
JOIN = 'echo $$ > "$2"; echo $$ > "$1.new"; mv "$1.new" "$1"; shift 2; exec "$@"'


class Processes:
    """The daemons of one cluster."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._logs = instance.directory / "logs"
        self._pids = instance.directory / "pids"

    def open_namespaces(self) -> None:
        """Make the cgroup and the mount namespace that `start` enters."""
        for directory in (self._logs, self._pids):
            directory.mkdir(parents=True)
        cgroups.create(self._instance.cgroup)
        script = ["mount --make-rshared /"]
        home = self._instance.directory / "private"
        for path in PRIVATE:
            private = home / path.strip("/").replace("/", "-")
            private.mkdir(parents=True)
            Path(path).mkdir(parents=True, exist_ok=True)
            script.append(f"mount --bind {private} {path}")
        for name, value in SHOWN.items():
            shown = home / name.replace("/", "-")
            shown.write_text(f"{value}\n")
            script.append(f"mount --bind {shown} /proc/sys/{name}")
        opened = self._instance.directory / "mounts-are-ready"
        script += [f"touch {opened}", "exec sleep infinity"]
        command = ["unshare", "--mount", "--propagation", "slave", "sh", "-ec", "\n".join(script)]
        self._spawn(HOLDER, command, {})
        self.wait(HOLDER, opened.exists, timeout=10)

    def start(
        self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a daemon; what it says goes to logs/<name>.log."""
        enter = [
            "nsenter",
            f"--net={network.namespace_file(self._instance)}",
            f"--mount=/proc/{self.pid(HOLDER)}/ns/mnt",
        ]
        self._spawn(name, [*enter, *map(str, argv)], env or {})

    def pid(self, name: str) -> int | None:
        """The process id of a running daemon, else None."""
        try:
            pid = int((self._pids / name).read_text())
        except OSError:
            return None
        return pid if pid in cgroups.processes(self._instance.cgroup) else None

    def started(self) -> list[str]:
        """Names of the daemons that were started, running or not."""
        return sorted(file.name for file in self._pids.glob("*"))

    def wait(self, name: str, condition: Callable[[], bool], *, timeout: float) -> None:
        """Wait until `condition`; raises ClusterError with the daemon's last words otherwise."""
        deadline = time.monotonic() + timeout
        while not condition():
            if self.pid(name) is None:
                raise ClusterError(f"{name} has ended.\n{self._last_words(name)}")
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{name} was not ready after {timeout:.0f} s.\n{self._last_words(name)}"
                )
            time.sleep(0.05)

    def _spawn(self, name: str, command: list[str], env: Mapping[str, str]) -> None:
        pid_file = self._pids / name
        procs = cgroups.roots()[0] / self._instance.cgroup / cgroups.DAEMONS / "cgroup.procs"
        join = ["setsid", "--fork", "sh", "-c", JOIN, "sh", str(pid_file), str(procs), *command]
        with (self._logs / f"{name}.log").open("wb") as log:
            subprocess.run(
                join,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**_environment(), **env},
                check=True,
            )
        deadline = time.monotonic() + 10
        while not pid_file.exists():
            if time.monotonic() > deadline:
                raise ClusterError(f"{name} did not start.\n{self._last_words(name)}")
            time.sleep(0.005)

    def _last_words(self, name: str) -> str:
        log = self._logs / f"{name}.log"
        if not log.exists():
            return ""
        tail = log.read_text(errors="replace").splitlines()[-12:]
        return "\n".join([f"The end of {log}:", *(f"  {line[:300]}" for line in tail)])


def _environment() -> dict[str, str]:
    """A small environment, the same for everyone: daemons must not see a user's proxies or keys."""
    path = os.environ.get("PATH", "")
    return {"PATH": f"/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:{path}", "HOME": "/root"}
