"""The bundle holds what support would ask for, and says of each thing why it is not there."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

from headrace.kubectl.bundle import run_bundle
from headrace.kubectl.program import Kubectl, KubectlFailed, Manifest

PIPELINE: dict[str, Any] = {
    "metadata": {"name": "flights", "namespace": "airport"},
    "spec": {"redis": {"connectionRef": {"name": "main"}}, "stream": {"name": "flights"}},
}
CONNECTION = {"metadata": {"name": "main"}, "spec": {"endpoints": ["redis:6379"]}}


class Cluster(Kubectl):
    """A cluster where there is the pipeline and its connection, and nothing else may be read."""

    def get(self, *arguments: str) -> Manifest:
        if arguments[-1] == "flights":
            return PIPELINE
        if arguments == ("redisconnections", "main"):
            return CONNECTION
        raise KubectlFailed(f"{arguments[0]} is forbidden")

    def attempt(self, *arguments: str) -> str:
        return "nothing\n"


def test_the_connection_that_many_share_is_there_too(tmp_path: Path) -> None:
    run_bundle(Cluster(), "flights", tmp_path / "b.tar.gz", 10, with_redis=False)
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        files = {one.name: tar.extractfile(one).read().decode() for one in tar.getmembers()}  # type: ignore[union-attr]
    assert "redis:6379" in files["headrace-flights/redisconnection.yaml"]
    assert files["headrace-flights/pods.yaml"] == "pods is forbidden\n"
