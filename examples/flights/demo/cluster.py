"""Where the demo runs: the cluster it boots on this machine, or the one of HEADRACE_KUBECONFIG."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from examples.flights.demo.commands import CommandFailed, Kubectl, run

BUILD_SECONDS = 1800.0
"""The first build compiles Kubernetes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster with the images on it, and the programs to speak to it.

    `values` go to the chart. `containerd` is the node's socket on the local cluster, else None.
    """

    kubeconfig: Path
    kubectl: str
    helm: str
    values: dict[str, str] = field(default_factory=dict)
    containerd: Path | None = None

    def kill_worker(self, kubectl: Kubectl, pod: str) -> None:
        """SIGKILL the pod's worker process from outside, as the kernel does when memory is short.

        On a cluster whose node we cannot reach, the pod is deleted without grace instead.
        """
        if self.containerd is None:
            kubectl("delete", "pod", pod, "--grace-period=0", "--force")
            return
        [status] = kubectl.get("pod", pod)["status"]["containerStatuses"]
        container = str(status["containerID"]).removeprefix("containerd://")
        ctr = ["ctr", "--address", str(self.containerd), "--namespace", "k8s.io"]
        run([*ctr, "tasks", "kill", "--signal", "SIGKILL", container])

    @property
    def hint(self) -> str:
        """How to look around after the demo, and how to end it."""
        look = (
            "kubectl -n airport get streampipelines,pods; kubectl -n airport describe spl flights"
        )
        end = (
            "make cluster-down"
            if self.containerd is not None
            else "kubectl delete namespace airport; helm -n headrace-system uninstall headrace"
        )
        return f"Look around: export KUBECONFIG={self.kubeconfig}; {look}\nEnd it: {end}"


def open_place(say: Callable[[str], None]) -> Place:
    """The cluster of HEADRACE_KUBECONFIG with the images as they are there; else our own, booted.

    Raises CommandFailed with what is missing.
    """
    if outside := os.environ.get("HEADRACE_KUBECONFIG"):
        say(f"Using {outside}; the images of headrace and Redis are pulled by the cluster.")
        return Place(Path(outside), _program("kubectl"), _program("helm"))
    say("Booting a Kubernetes on this machine (the first time builds it: about ten minutes).")
    _cluster("up")
    say("Building the images.")
    archives = [Path(line) for line in _cluster("images").splitlines() if line.endswith(".tar")]
    kubeconfig = Path(_cluster("kubeconfig").strip())
    operator = next(archive.stem for archive in archives if archive.stem.startswith("operator"))
    return Place(
        kubeconfig,
        _cluster("kubectl").strip(),
        _cluster("helm").strip(),
        # The tag stays the same while the code changes: this rolls the operator when it did.
        values={"podAnnotations.headrace\\.dev/image": operator},
        containerd=kubeconfig.parent / "containerd" / "containerd.sock",
    )


def _cluster(command: str) -> str:
    return run([sys.executable, "-m", "tests.cluster", command], timeout=BUILD_SECONDS)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CommandFailed(f"{name} is not installed; the demo on your own cluster needs it")
    return found
