"""What the figures are taken on: a control plane of its own, one Redis, the operator's process."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis
import yaml
from tests.support import control_plane, redis_servers
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import group, pipeline_manifest
from tests.support.waiting import until

from headrace_operator.kube.kinds import STREAM_PIPELINE

CRD = Path("crds/streampipelines.headrace.dev.yaml")
CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/streampipelines.headrace.dev"
TARGET, MOST = 100, 10


@dataclass
class Stage:
    kube: Kube
    redis: redis.Redis
    endpoint: str
    logs: Path
    operators: list[OperatorProcess] = field(default_factory=list)

    def start_operator(self) -> OperatorProcess:
        """With its own defaults, as the chart starts it; the figures are of a leader."""
        log = self.logs / f"{len(self.operators)}.log"
        operator = OperatorProcess(self.kube.kubeconfig, log)
        self.operators.append(operator)
        return operator.wait_ready()

    def create(self, namespace: str, names: list[str]) -> None:
        """Pipelines of one group each, scaled by their backlog, nothing to do yet."""
        for name in names:
            scaling = {"targetBacklog": TARGET, "maxReplicas": MOST, "scaleDownAfter": "1s"}
            manifest = pipeline_manifest(
                namespace, self.endpoint, name=name, groups=[group("audit", scaling=scaling)]
            )
            self.kube.create(manifest)

    def wait_ready(self, namespace: str, count: int, within: float) -> None:
        """Until so many pipelines are Ready and show a backlog."""

        def ready() -> bool:
            found = self.kube.list(STREAM_PIPELINE, namespace)
            return count == sum(
                "lag" in one.get("status", {}) and condition(one, "Ready")["status"] == "True"  # type: ignore[index]
                for one in found
            )

        until(f"{count} pipelines are Ready", ready, within=within)


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    with (
        control_plane.running() as plane,
        redis_servers.running() as server,
        redis.Redis(port=server.port, decode_responses=True) as client,
        tempfile.TemporaryDirectory(prefix="headrace-bench-") as logs,
    ):
        kube = Kube(plane.kubeconfig)
        query = [("fieldManager", "bench"), ("force", "true")]
        definition = yaml.safe_load(CRD.read_text(encoding="utf-8"))
        kube.request("PATCH", CRD_PATH, definition, "application/apply-patch+yaml", query)
        until("the resource is served", lambda: kube.list(STREAM_PIPELINE, None) is not None)
        made = Stage(kube, client, server.endpoint, Path(logs))
        try:
            yield made
        finally:
            for operator in made.operators:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    operator.stop()
