"""A real API server with controllers, a real Redis, and the operator as a process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.support import yaml_text
from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import pipeline_manifest
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import until

from headrace_operator.kube.kinds import NAMESPACE, REDIS_CONNECTION, STREAM_PIPELINE, Kind

CRD = Path("crds/streampipelines.headrace.dev.yaml")
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD_PATH = f"{DEFINITIONS}/streampipelines.headrace.dev"
# A slow machine must not depose the only operator.
CALM_LEASE = ("--lease-duration=60", "--lease-renew-deadline=40", "--lease-retry-period=2")

StartOperator = Callable[..., OperatorProcess]


@pytest.fixture(scope="session")
def kube(control_plane: ControlPlane, pytestconfig: pytest.Config) -> Kube:
    """The administrator's client; the resources are defined."""
    cluster = Kube(control_plane.kubeconfig)
    query = [("fieldManager", "tests"), ("force", "true")]
    for kind in (STREAM_PIPELINE, REDIS_CONNECTION):
        name = f"{kind.plural}.headrace.dev"
        manifest = yaml_text.load((pytestconfig.rootpath / f"crds/{name}.yaml").read_text())
        path = f"{DEFINITIONS}/{name}"
        cluster.request("PATCH", path, manifest, "application/apply-patch+yaml", query)
        until(f"{name} is served", partial(is_served, cluster, kind))
    return cluster


def is_served(cluster: Kube, kind: Kind) -> bool:
    return cluster.list(kind, None) is not None


@contextlib.contextmanager
def operators(kube: Kube, logs: Path) -> Iterator[StartOperator]:
    """Starts operator processes, and ends them. Tells of one that has ended by itself."""
    started: list[OperatorProcess] = []

    def start(*arguments: str, lease: str = "") -> OperatorProcess:
        log = logs / f"{len(started)}.log"
        process = OperatorProcess(kube.kubeconfig, log, *CALM_LEASE, *arguments, lease=lease)
        started.append(process)
        return process.wait_ready()

    try:
        yield start
    finally:
        for process in started:
            if process.has_ended:
                print(f"an operator had ended before its test:\n{process.log.read_text()[-2000:]}")
            process.stop()


@pytest.fixture
def start_operator(kube: Kube, tmp_path: Path) -> Iterator[StartOperator]:
    """For tests that need operators of their own; never together with ``operator``."""
    with operators(kube, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def operator(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """One operator for all namespaces; referenced Secrets are looked at every 2 seconds."""
    with operators(kube, tmp_path_factory.mktemp("operator")) as start:
        process = start("--full-look=2", "--resync=30", "--deletion-patience=3")
        until("the operator leads", lambda: process.leads)
        yield process


@pytest.fixture(scope="session")
def broker() -> Iterator[RedisServer]:
    """The Redis of the pipelines."""
    with running("redis") as server:
        yield server


@pytest.fixture
def data(broker: RedisServer) -> Iterator[redis.Redis]:
    """The same Redis, empty, with a client."""
    with redis.Redis(port=broker.port, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def namespace(kube: Kube) -> Iterator[str]:
    """A namespace of one's own; its pipelines go with it."""
    name = kube.make_namespace()
    yield name
    for pipeline in kube.list(STREAM_PIPELINE, name):
        own = pipeline["metadata"]["name"]
        if pipeline["metadata"].get("finalizers"):
            kube.patch(STREAM_PIPELINE, name, own, {"metadata": {"finalizers": None}})
        if kube.get(STREAM_PIPELINE, name, own):
            kube.delete(STREAM_PIPELINE, name, own)
    kube.delete(NAMESPACE, None, name)


Make = Callable[..., dict[str, Any]]


@pytest.fixture
def make(kube: Kube, namespace: str, broker: RedisServer) -> Make:
    """Creates a pipeline as a person would; returns what the API server stored."""

    def create(**fields: Any) -> dict[str, Any]:
        endpoint = fields.pop("endpoint", broker.endpoint)
        return kube.apply(pipeline_manifest(namespace, endpoint, **fields))

    return create
