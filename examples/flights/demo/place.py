"""Where the demo runs: the cluster it boots on this machine, or the one of HEADRACE_KUBECONFIG."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from examples.flights.demo.commands import Kubectl, run

OPERATOR_IMAGE = "ghcr.io/headrace/operator"
WORKER_IMAGE = "ghcr.io/headrace/worker"


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
