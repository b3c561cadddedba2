"""The devcontainer cannot be opened here. Its files are read: they do what the quickstart says."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from tests.unit.docs.commands import targets
from tests.unit.docs.pages import ROOT, blocks

HERE = ROOT / ".devcontainer"
SCRIPTS = sorted(HERE.glob("*.sh"))


def test_the_description_is_read_and_names_its_scripts() -> None:
    text = (HERE / "devcontainer.json").read_text("utf-8")
    read = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    for when in ("postCreateCommand", "postStartCommand"):
        assert Path(ROOT, read[when].removeprefix("bash ")) in SCRIPTS
    schemas = read["customizations"]["vscode"]["settings"]["yaml.schemas"]
    assert all((ROOT / path).is_file() for path in schemas)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_one_and_its_targets_exist(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text("utf-8")
    assert set(re.findall(r"make (?:--silent )?([a-z][a-z-]*)", text)) <= targets()


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
