"""The devcontainer cannot be opened here. Its scripts are run, with programs in the place of Docker
and a cluster that write down how they were called."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.unit.docs.commands import targets
from tests.unit.docs.pages import ROOT, blocks

HERE = ROOT / ".devcontainer"
SCRIPTS = sorted(HERE.glob("*.sh"))
# Each writes its line to $CALLS. `kind get clusters` says what is there.
STAND_IN = """#!/usr/bin/env bash
echo "${0##*/} $*" >> "$CALLS"
case "${0##*/} $*" in
  "kind get clusters") cat "$CLUSTERS" ;;
  "go env GOPATH") echo "$GOPATH" ;;
  "sudo service"*) exit 1 ;;
esac
"""
STOOD_IN = ("docker", "go", "helm", "kind", "kubectl", "sudo")
IMAGES = [f"ghcr.io/headrace/{name}" for name in ("operator", "worker")]


class Container:
    """A directory with the checkout's files and a PATH of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls, self.clusters = directory / "calls", directory / "clusters"
        self.clusters.touch()
        programs = directory / "bin"
        programs.mkdir()
        for name in STOOD_IN:
            (programs / name).write_text(STAND_IN)
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "CLUSTERS": str(self.clusters),
            "GOPATH": str(directory / "go"),
            "HOME": str(directory),
        }

    def run(self, script: str) -> list[str]:
        """How the programs were called."""
        self.calls.write_text("")
        done = subprocess.run(
            ["bash", str(HERE / script)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return self.calls.read_text().splitlines()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_the_description_is_read_and_names_its_scripts() -> None:
    text = (HERE / "devcontainer.json").read_text("utf-8")
    read = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    for when in ("postCreateCommand", "postStartCommand"):
        assert Path(ROOT, read[when].removeprefix("bash ")) in SCRIPTS
    schemas = read["customizations"]["vscode"]["settings"]["yaml.schemas"]
    assert all((ROOT / path).is_file() for path in schemas)
    assert set(re.findall(r"make ([a-z][a-z-]*)", text)) <= targets()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_targets_of_a_script_exist(script: Path) -> None:
    text = script.read_text("utf-8")
    assert set(re.findall(r"make (?:--silent )?([a-z][a-z-]*)", text)) <= targets()


def test_once_made_it_has_its_tools_on_the_path_also_where_no_server_runs(
    container: Container,
) -> None:
    (container.directory / "bin/make").write_text(STAND_IN)
    (container.directory / "bin/make").chmod(0o755)
    calls = container.run("create.sh")
    assert "sudo apt-get install -y -q redis-server" in calls
    assert "make venv" in calls
    assert any(call.startswith("go install sigs.k8s.io/kind@v") for call in calls)
    profile = (container.directory / ".bashrc").read_text()
    shown = subprocess.run(
        ["bash", "-c", f'{profile}echo "$PATH"'],
        env=container.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.startswith(f"{ROOT}/.venv/bin:{container.directory}/go/bin:")


def test_a_first_start_makes_a_cluster_and_a_later_one_starts_its_node(
    container: Container,
) -> None:
    first = container.run("start.sh")
    assert "kind create cluster" in first
    container.clusters.write_text("kind\nanother\n")
    later = container.run("start.sh")
    assert "kind create cluster" not in later
    assert "docker start kind-control-plane" in later
    rest = [call for call in first if call != "kind create cluster"]
    assert rest == [call for call in later if call != "docker start kind-control-plane"]


def test_a_cluster_of_another_name_is_left_alone(container: Container) -> None:
    container.clusters.write_text("kind-of\n")
    assert "kind create cluster" in container.run("start.sh")


def test_it_builds_and_loads_the_images_that_the_chart_starts(container: Container) -> None:
    calls = container.run("start.sh")
    version = yaml.safe_load((ROOT / "charts/headrace/Chart.yaml").read_text())["appVersion"]
    built = [re.findall(r"-t (\S+) ", call)[0] for call in calls if call.startswith("docker build")]
    assert built == [f"{image}:{version}" for image in IMAGES]
    assert f"kind load docker-image {' '.join(built)}" in calls
    for call in calls:
        for path in re.findall(r" -f (\S+)", call):
            assert (ROOT / path).is_file()
    assert calls[-1].startswith("helm upgrade --install headrace charts/headrace ")


def test_the_cluster_is_the_one_of_the_quickstart() -> None:
    page = "".join(block.text for block in blocks(ROOT / "docs/start/quickstart.md", "console"))
    script = (HERE / "start.sh").read_text("utf-8")
    for words in (
        "kind create cluster",
        "docker build",
        "-f operator/Dockerfile",
        "-f worker_image/Dockerfile",
        "kind load docker-image",
        "charts/headrace --namespace headrace-system --create-namespace",
    ):
        assert words in page
        assert words in script
