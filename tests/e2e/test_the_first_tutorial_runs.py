"""The first tutorial, typed as it stands, on a real node; and the page on troubleshooting."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from examples.flights.demo.cluster import Place
from examples.flights.demo.connection import read_password
from tests.support.page_shell import PageShell, commands
from tests.support.pipeline_namespace import Airport
from tests.support.waiting import until
from tests.unit.docs.pages import ROOT, blocks

TUTORIAL = ROOT / "docs/tutorials/first-pipeline.md"
TROUBLE = ROOT / "docs/operate/troubleshooting.md"
SELECTOR = "headrace.dev/pipeline=orders,headrace.dev/group=billing"


@pytest.fixture
def shell(airport: Airport, place: Place, tmp_path: Path) -> PageShell:
    kubeconfig = tmp_path / "config"  # the page changes its namespace
    shutil.copy(place.kubeconfig, kubeconfig)
    port = airport.redis.connection_pool.connection_kwargs["port"]
    password = read_password(airport.kubectl)
    shell = PageShell(
        TUTORIAL,
        tmp_path,
        {
            "--namespace airport": f"--namespace {airport.kubectl.namespace}",
            ":flights-of-2013@localhost:6379": f":{password}@127.0.0.1:{port}",
            " --follow": "",
        },
    )
    shell.install("kubectl", shutil.which(place.kubectl) or place.kubectl)
    shell.run(f"export KUBECONFIG={kubeconfig}")
    return shell


def typed(page: Path) -> list[str]:
    return [line for block in blocks(page, "console") for line in commands(block)]


def has_a_ready_worker(airport: Airport) -> bool:
    pods = airport.kubectl.get("pods", "-l", SELECTOR)["items"]
    states = [pod["status"].get("containerStatuses") or [{"ready": False}] for pod in pods]
    return any(all(one["ready"] for one in state) for state in states)


def is_settled(airport: Airport) -> bool:
    (group,) = airport.redis.xinfo_groups("orders")
    return group["lag"] == group["pending"] == 0


@pytest.mark.timeout(300)
def test_the_tutorial_does_what_it_says(shell: PageShell, airport: Airport) -> None:
    said = {}
    for line in typed(TUTORIAL):
        if line.startswith(("kubectl logs", "kubectl headrace")):  # by then a reader has looked up
            until("a worker is ready", lambda: has_a_ready_worker(airport), within=60)
            until("all is settled", lambda: is_settled(airport), within=60)
        said[line] = shell.run(line).stdout
    assert "billed" in next(text for line, text in said.items() if line.startswith("kubectl logs"))
    letters = said["kubectl headrace dead list orders"]
    assert "Reject" in letters
    assert "a bill cannot be negative" in letters

    # From inside: the page on troubleshooting has the same pipeline and group.
    shell.run("""echo '{"id": "A3", "cents": 1}' | headrace send orders --type order.placed""")
    until("a worker is ready", lambda: has_a_ready_worker(airport), within=60)
    for line in typed(TROUBLE):
        if "port-forward" in line:  # it has no end of its own
            endless = line.replace(" 8080", " :8080")
            said[line] = shell.run(f"timeout 3 {endless} || [ $? = 124 ]").stdout
            assert "Forwarding from" in said[line]
        else:
            assert shell.run(line).stdout
