"""What all seeds share: control plane, operator, a node that runs nothing, a Redis nobody harms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue

from headrace_operator.kube.kinds import REDIS_CONNECTION, STREAM_PIPELINE, Kind
from tests.cluster import paths
from tests.hostile import rights
from tests.hostile.kubelet import Kubelet
from tests.hostile.operator import Operator
from tests.hostile.seen import Seen
from tests.support import redis_servers, yaml_text
from tests.support.kube import Kube
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Stage:
    kubeconfig: Path
    operator: Operator
    kubelet: Kubelet
    seen: Seen
    calm: RedisServer
    """The neighbours' Redis."""
    elsewhere: Queue[str]
    """Namespaces in which a neighbour runs and nobody does anything; each seed borrows one."""


@contextlib.contextmanager
def stage(kubeconfig: Path, directory: Path, package: Path | None = None) -> Iterator[Stage]:
    """Everything started, the operator leading, its log in `directory`.

    `package`: where another operator than the checkout's lies.
    """
    kube = Kube(kubeconfig)
    query = [("fieldManager", "tests"), ("force", "true")]
    for kind in (STREAM_PIPELINE, REDIS_CONNECTION):
        name = f"{kind.plural}.headrace.dev"
        crd = yaml_text.load((paths.CHECKOUT / f"crds/{name}.yaml").read_text())
        kube.request("PATCH", f"{CRDS}/{name}", crd, "application/apply-patch+yaml", query)
        until(f"{name} is served", partial(_is_served, kube, kind))
    with contextlib.ExitStack() as end:
        calm = end.enter_context(redis_servers.running("redis"))
        kubelet, seen = Kubelet(kubeconfig), Seen(kubeconfig)
        seen.on_pod(kubelet.saw)
        end.callback(seen.stop)
        end.callback(kubelet.stop)
        kubelet.start()
        seen.start()
        operator = Operator(kube, rights.give(kube, directory), directory, package)
        end.callback(operator.stop)
        operator.start()
        elsewhere: Queue[str] = Queue()
        end.callback(_clear, kube, elsewhere)
        yield Stage(kubeconfig, operator, kubelet, seen, calm, elsewhere)


def _is_served(kube: Kube, kind: Kind) -> bool:
    return kube.list(kind, None) is not None


def _clear(kube: Kube, elsewhere: Queue[str]) -> None:
    """What the seeds have left to each other."""
    while not elsewhere.empty():
        namespace = elsewhere.get()
        for manifest in kube.list(STREAM_PIPELINE, namespace):
            kube.delete(STREAM_PIPELINE, namespace, manifest["metadata"]["name"])
        kube.delete_namespace(namespace)
