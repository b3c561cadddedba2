"""Every command of every page is run: here against an API server and a Redis, or elsewhere.

Where a command needs a node, the end-to-end tier runs it or its like; what needs other people's
programs or hours stands in NOT_RUN with the reason. A command that nobody knows fails.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.cluster import binaries
from tests.cluster.images import debian
from tests.integration.docs.page_servers import OF_PAGE
from tests.support.control_plane import ControlPlane, running
from tests.support.page_shell import PageShell, commands
from tests.support.redis_servers import RedisServer
from tests.support.redis_servers import running as redis_running
from tests.support.redis_tls import make_certificates
from tests.support.waiting import until
from tests.unit.docs.pages import PAGES, ROOT, blocks
from tests.unit.docs.test_commands_in_the_pages import with_commands

# These print what the page shows, word for word: tests/integration/worker.
PRINTED = {"docs/command-line.md", "docs/dead-letters.md"}
NEEDS_A_NODE = {
    r"kubectl get streampipelines -n airport$": "tests/e2e/test_kubectl_reads_well.py",
    r"kubectl .*rollout status": "tests/e2e/conftest.py waits for the same Deployment",
    r"kubectl wait ": "tests/e2e/test_the_first_tutorial_runs.py",
    r"kubectl (.* )?(exec|logs|port-forward) ": "tests/e2e/test_the_first_tutorial_runs.py",
    r"kubectl headrace ": "tests/e2e/test_the_plugin_answers.py",
    r"helm test ": "tests/e2e/test_helm_test_passes.py",
}
NOT_RUN = {
    r"(docker|kind|k3d) ": "needs Docker",
    r"(gh|cosign) ": "needs a published release",
    r"python -m tests\.crash ": "hours; make test-crash runs it",
    r"devcontainer ": "needs Docker",
}
INSTALL = "helm install headrace charts/headrace --namespace headrace-system --create-namespace"


def made(stream: str, *groups: str) -> list[str]:
    """What the operator does: none runs here."""
    return [f"redis-cli XGROUP CREATE {stream} {group} 0 MKSTREAM" for group in groups]


# What a page takes for granted. `page.yaml` holds its pipelines.
BEFORE = {
    "README.md": [],
    "docs/alerts.md": [INSTALL],
    "docs/operate/upgrades.md": [INSTALL],
    "charts/pipeline/README.md": [INSTALL, "kubectl create namespace airport"],
    "docs/start/quickstart.md": [*made("flights", "delays", "audit")],
    "docs/tutorials/autoscaling.md": [
        INSTALL,
        "kubectl apply -f page.yaml",
        *made("orders", "billing"),
    ],
    "docs/operate/troubleshooting.md": [INSTALL, "kubectl apply -f orders.yaml"],
    **{
        f"docs/tutorials/{name}.md": [INSTALL, "kubectl create namespace airport"]
        for name in ("first-pipeline", "sentinel", "cluster")
    },
    "docs/tutorials/valkey.md": [
        INSTALL,
        "kubectl create namespace airport",
        "kubectl -n airport apply -f orders.yaml",
    ],
}
ORDERS = """
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: orders}
spec:
  redis: {endpoints: ["redis:6379"]}
  stream: {name: orders}
  groups: [{name: billing, worker: {handler: "handlers:app", image: x}}]
"""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Of this module's own: pages install and remove what belongs to the whole cluster."""
    with running("pages") as plane:
        yield plane


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_running("redis") as server:
        yield server


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pipelines(page: Path) -> list[str]:
    return [block.text for block in blocks(page, "yaml") if "kind: StreamPipeline" in block.text]


def shell_for(
    page: Path,
    directory: Path,
    plane: ControlPlane,
    server: RedisServer,
    servers: dict[str, str],
) -> PageShell:
    shell = PageShell(
        page,
        directory,
        {
            **servers,
            ":flights-of-2013@localhost:6379": server.endpoint,
            "localhost:6379": server.endpoint,
            "redis-cli ": f"redis-cli -p {server.port} ",
            " --watch": "",
            "make ": f"make --dry-run --directory {ROOT} ",
            ".venv/bin/pytest ": ".venv/bin/pytest --collect-only -q ",
            "streampipeline/orders --output jsonpath": "streampipeline/orders -o jsonpath",
        },
    )
    (directory / "page.yaml").write_text("---\n".join(pipelines(page)))
    shell.install("kubectl", plane.kubectl_path)
    shell.install("helm", binaries.helm())
    made = make_certificates(directory)
    for name, source in {"client.crt": "tls.crt", "client.key": "tls.key"}.items():
        (directory / name).symlink_to(made[source])
    for name in ("redis-password.txt", "sentinel-password.txt"):
        (directory / name).write_text("none")
    # A page may change the namespace that it is about.
    shutil.copy(plane.kubeconfig, directory / "kubeconfig")
    loader = " ".join(debian.own_loader(debian.unpacked(debian.SERVERS), "valkey-cli"))
    (directory / "valkey-cli").write_text(f'#!/bin/sh\nexec {loader} "$@"\n')
    (directory / "valkey-cli").chmod(0o755)
    shell.install("valkey-cli", directory / "valkey-cli")
    (directory / "orders.yaml").write_text(ORDERS)
    if not (directory / "handlers.py").exists():
        (directory / "handlers.py").symlink_to(ROOT / "examples/flights/handlers.py")
    return shell


def clean(shell: PageShell, **environment: str) -> None:
    listed = shell.run("helm list --all-namespaces --output json", **environment).stdout
    for one in json.loads(listed):
        shell.run(f"helm uninstall {one['name']} --namespace {one['namespace']}", **environment)
    shell.run("kubectl delete streampipelines --all --all-namespaces || true", **environment)
    left = "namespace/airport secret/redis-auth configmap/company-ca secret/orders-redis-client"
    shell.run(
        f"kubectl delete --ignore-not-found --wait {left} configmap/orders-handlers", **environment
    )


def is_served(shell: PageShell, **environment: str) -> bool:
    """A reader who types is slower than the API server."""
    said = shell.run("kubectl get streampipelines 2>&1 || true", **environment).stdout
    return "No resources found" in said


def why_not_here(line: str) -> str | None:
    """Where else a command is run, or why it is not."""
    for pattern, reason in {**NEEDS_A_NODE, **NOT_RUN}.items():
        if re.match(pattern, line):
            return reason
    return None


RUN = [page for page in PAGES if with_commands(page) and named(page) not in PRINTED]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", RUN, ids=named)
def test_the_page_can_be_followed(
    page: Path, plane: ControlPlane, server: RedisServer, tmp_path: Path
) -> None:
    lines = [line for block in with_commands(page) for line in commands(block)]
    here = [line for line in lines if why_not_here(line) is None]
    config = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    with OF_PAGE.get(named(page), nullcontext)() as servers:
        shell = shell_for(page, tmp_path, plane, server, servers or {})
        try:
            for line in [*BEFORE.get(named(page), ()), *here]:
                shell.run(line, **config)
                if line == INSTALL:
                    until("the kind is served", lambda: is_served(shell, **config))
        finally:
            if any(line.startswith(("kubectl", "helm")) for line in here):
                clean(shell, **config)


def test_the_tests_that_run_the_rest_are_there() -> None:
    for reason in NEEDS_A_NODE.values():
        assert (ROOT / reason.split()[0]).is_file()


def test_a_command_that_fails_fails_the_page(tmp_path: Path) -> None:
    shell = PageShell(ROOT / "README.md", tmp_path, {})
    with pytest.raises(AssertionError, match="charts/nowhere"):
        shell.run("ls charts/nowhere | cat")
