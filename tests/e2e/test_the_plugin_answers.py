"""`kubectl headrace`: what a person on call types, against real pods."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from examples.flights.demo.cluster import Place
from tests.support.pipeline_namespace import Airport, group, pipeline
from tests.support.waiting import until

HANDLERS = """
import headrace

audit = headrace.App()


@audit.on("flight.landed")
async def land(flight: dict) -> None:
    if flight["seconds"] < 0:
        raise ValueError("a flight cannot land before it started")
"""
SENT, BAD = 20, 3
JOBS = ("jobs", "-l", "headrace.dev/job=command")

Plugin = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plugin(airport: Airport, place: Place, tmp_path: Path) -> Plugin:
    """Through kubectl itself, which finds it on the PATH."""
    (tmp_path / "kubectl").symlink_to(place.kubectl)
    where = (str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"])
    environment = os.environ | {"PATH": ":".join(where), "KUBECONFIG": str(place.kubeconfig)}

    def run(*words: str, begin: bool = False) -> subprocess.CompletedProcess[str]:
        line = ["kubectl", "headrace", *words, "-n", airport.kubectl.namespace]
        if begin:
            return subprocess.Popen(line, env=environment, start_new_session=True)  # type: ignore[return-value]
        return subprocess.run(
            line,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=tmp_path,
        )

    return run


def test_one_pipeline_from_all_sides(airport: Airport, plugin: Plugin, tmp_path: Path) -> None:
    airport.apply_handlers(HANDLERS)
    scaling = {"mode": "Automatic", "minReplicas": 1, "maxReplicas": 2, "targetBacklog": 1000}
    made = group("audit", scaling=scaling)
    made["delivery"] |= {"maxRetries": 0}
    made["worker"]["env"] = [{"name": "DB_PASSWORD", "value": "s3cret-canary"}]
    airport.apply(pipeline(made))
    airport.send([{"seconds": 1}] * SENT + [{"seconds": -1}] * BAD)
    until("all settled", lambda: airport.settled("audit", SENT + BAD), within=90)
    until("Ready", lambda: airport.condition().get("status") == "True", within=60)

    healthy = plugin("status", "flights")
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert f"flights in {airport.kubectl.namespace}: ready" in healthy.stdout
    assert ["audit", "1/1"] in [line.split()[:2] for line in healthy.stdout.splitlines()]
    assert "flights" in plugin("top", "--once").stdout

    backlog = plugin("backlog", "flights", "-o", "json")
    pending = {one["group"]: one["pending"] for one in json.loads(backlog.stdout)["groups"]}
    assert pending["audit"] == 0, backlog.stderr
    assert '"seconds": 1' in plugin("peek", "flights", "--first").stdout
    checked = plugin("check", "flights")
    assert "ok       rights" in checked.stdout, checked.stdout + checked.stderr
    letters = plugin("dead", "list", "flights")
    assert "a flight cannot land" in letters.stdout, letters.stdout + letters.stderr
    foretold = plugin("trim", "flights", "--max-length", "5", "--dry-run")
    assert f"would remove {SENT + BAD - 5} entries of {SENT + BAD}" in foretold.stdout
    asked = plugin("trim", "flights", "--max-length", "5")
    assert (asked.returncode, "add --yes" in asked.stdout) == (2, True)
    planned = plugin("plan", "flights", "--rate", "10/s", "--retention", "1h", "-o", "json")
    assert json.loads(planned.stdout)["entries"] == 36_000, planned.stdout + planned.stderr
    missing = plugin("backlog", "flights", "nobody")
    assert missing.returncode == 1
    assert "has no group nobody" in missing.stdout
    assert airport.kubectl.get(*JOBS)["items"] == []

    told = plugin("logs", "flights", "--group", "audit")
    assert "a flight cannot land" in told.stdout
    assert plugin("logs", "flights", "--group", "nobody").returncode == 2

    bundle = plugin("debug", "bundle", "flights")
    assert bundle.returncode == 0, bundle.stderr
    with tarfile.open(tmp_path / "headrace-flights.tar.gz") as tar:
        files = {one.name: tar.extractfile(one).read().decode() for one in tar.getmembers()}  # type: ignore[union-attr]
    assert "s3cret-canary" not in str(files)
    assert "a flight cannot land" in str(files)
    assert json.loads(files["headrace-flights/redis/backlog.json"])["entries"] == SENT + BAD
    assert any(name.startswith("headrace-flights/operator/") for name in files)

    assert plugin("suspend", "flights").stdout == "pipeline flights is suspended\n"
    until("no worker", lambda: airport.workers("audit") == [], within=60)
    assert "was suspended before" in plugin("suspend", "flights").stdout
    assert plugin("resume", "flights").stdout == "pipeline flights is resumed\n"

    assert "not found" in plugin("status", "nothing").stderr


def test_an_interrupted_command_leaves_no_job(airport: Airport, plugin: Plugin) -> None:
    airport.apply_handlers(HANDLERS)
    airport.apply(pipeline(group("audit")))
    until("Ready", lambda: airport.condition().get("status") == "True", within=60)
    watching = plugin("backlog", "flights", "--watch", begin=True)
    until("its pod runs", lambda: _phases(airport) == ["Running"], within=60)
    os.killpg(watching.pid, signal.SIGINT)  # type: ignore[attr-defined]
    assert watching.wait(timeout=30) != 0  # type: ignore[attr-defined]
    until("the Job is gone", lambda: airport.kubectl.get(*JOBS)["items"] == [], within=30)


def _phases(airport: Airport) -> list[str]:
    pods = airport.kubectl.get("pods", "-l", "headrace.dev/job=command")["items"]
    return [pod["status"]["phase"] for pod in pods]
