"""Put Headrace and the flights pipeline on a cluster."""

from __future__ import annotations

import json
import time
from pathlib import Path

from examples.flights.demo.commands import CommandFailed, Kubectl, run
from examples.flights.demo.figures import STREAM

EXAMPLE = Path(__file__).parent.parent
CHART = EXAMPLE.parent.parent / "charts" / "headrace"
SYSTEM_NAMESPACE = "headrace-system"
NAMESPACE_LABEL = "headrace.dev/example"


def install_chart(kubectl: Kubectl, helm: str, values: dict[str, str]) -> None:
    """`helm upgrade --install` under the restricted standard; both operators are ready after it."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": SYSTEM_NAMESPACE,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
    sets = [argument for name, value in values.items() for argument in ("--set", f"{name}={value}")]
    run(
        [
            *(helm, "upgrade", "--install", "headrace", str(CHART), *sets),
            *("--kubeconfig", str(kubectl.kubeconfig), "--namespace", SYSTEM_NAMESPACE),
            *("--wait", "--timeout", "3m"),
        ],
        timeout=240,
    )


def fresh_namespace(kubectl: Kubectl) -> None:
    """Remove what an earlier demo left, then create the namespace.

    Raises CommandFailed when a namespace of that name is somebody else's.
    """
    live = kubectl.find("namespace", kubectl.namespace)
    if live is not None:
        if NAMESPACE_LABEL not in live["metadata"].get("labels", {}):
            raise CommandFailed(
                f"namespace {kubectl.namespace} exists and is not this demo's; "
                "rename it or use another cluster"
            )
        if kubectl.find("streampipeline", STREAM) is not None:
            kubectl("delete", "streampipeline", STREAM, "--wait", "--timeout=90s")
        kubectl("delete", "namespace", kubectl.namespace, "--wait", "--timeout=120s", timeout=150)
    kubectl.apply(EXAMPLE / "namespace.yaml")


def start_redis(kubectl: Kubectl) -> None:
    kubectl.apply(EXAMPLE / "redis.yaml")
    kubectl("rollout", "status", "statefulset/redis", "--timeout=180s", timeout=200)


def apply_pipeline(kubectl: Kubectl) -> None:
    """Handlers into a ConfigMap, then the StreamPipeline; returns when it is Ready."""
    handlers = f"--from-file={EXAMPLE / 'handlers.py'}"
    manifest = kubectl(
        *("create", "configmap", "flights-handlers", handlers, "--dry-run=client", "-o", "yaml")
    )
    kubectl("apply", "-f", "-", stdin=manifest)
    kubectl.apply(EXAMPLE / "pipeline.yaml")
    kubectl("wait", f"streampipeline/{STREAM}", "--for=condition=Ready", "--timeout=90s")


def wait_for_no_workers(kubectl: Kubectl, timeout: float) -> None:
    """Until no worker pod is left. Raises CommandFailed."""
    until = time.monotonic() + timeout
    selector = f"headrace.dev/pipeline={STREAM},headrace.dev/group"
    while pods := kubectl("get", "pods", "-l", selector, "-o", "name").split():
        if time.monotonic() > until:
            raise CommandFailed(f"workers are still there after {timeout:.0f} s: {pods}")
        time.sleep(1)
