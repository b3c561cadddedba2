"""examples/custom-go, built and run with the variables that the operator sets."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import yaml_text
from tests.support.redis_servers import RedisServer, redis_server
from tests.support.waiting import eventually_sync
from tests.support.workers import GROUP, PARKED, STREAM, Stage

from headrace_api.v1alpha1 import StreamPipeline
from headrace_api.worker_config import WorkerConfig
from headrace_operator.plan.connection import custom_environment

__all__ = ["redis_server"]

EXAMPLE = Path("examples/custom-go")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("go") / "worker"
    subprocess.run(["go", "build", "-o", built, "."], cwd=EXAMPLE, check=True)
    return built


def environment(server: RedisServer) -> dict[str, str]:
    """What the operator would put into the pod."""
    manifest = yaml_text.load(Path("examples/manifests/custom-runtime.yaml").read_text())
    manifest["metadata"] |= {"namespace": "airport", "uid": "uid-1"}
    spec = manifest["spec"]
    spec["redis"] = {"endpoints": [server.endpoint]}
    spec["stream"] = {"name": STREAM}
    spec["groups"][0] |= {"name": GROUP}
    pipeline = StreamPipeline.model_validate(manifest)
    told = custom_environment(WorkerConfig.from_pipeline(pipeline, pipeline.spec.groups[0]))
    return {one["name"]: one["value"] for one in told} | {"HEADRACE_POD": "pod-a"}


class Go:
    """The program, running."""

    def __init__(self, program: Path, server: RedisServer, log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", str(program)],
                env=os.environ | environment(server) | {"MIN_IDLE": "1s"},
                stdout=out,
                stderr=out,
            )

    @property
    def handled(self) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [line.removeprefix("handled ") for line in lines if line.startswith("handled ")]


@pytest.fixture
def stage(redis_server: RedisServer) -> Stage:
    stage = Stage(redis_server)
    stage.redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    return stage


@pytest.fixture
def go(program: Path, stage: Stage, tmp_path: Path) -> Iterator[Go]:
    """The worker, beside one entry that a dead consumer held and one that is parked."""
    stage.send({"n": "dead"}, {"n": "parked"})
    stage.redis.xreadgroup(GROUP, "dead", {STREAM: ">"}, count=1)
    stage.redis.xreadgroup(GROUP, PARKED.decode(), {STREAM: ">"}, count=1)
    one = Go(program, stage.server, tmp_path / "log")
    yield one
    one.process.kill()
    one.process.wait()


def test_it_handles_reclaims_spares_the_parked_and_leaves_cleanly(stage: Stage, go: Go) -> None:
    stage.send({"n": 1}, {"n": 2})
    eventually_sync(lambda: {'{"n": 1}', '{"n": 2}', '{"n": "dead"}'} <= set(go.handled))
    eventually_sync(lambda: stage.pending == 1)
    assert stage.pending_of(PARKED) == 1
    go.process.send_signal(signal.SIGTERM)
    assert go.process.wait(20) == 0
    assert '{"n": "parked"}' not in go.handled
    assert stage.consumers == {b"dead"}
