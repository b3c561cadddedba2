"""The hook does what pre-commit expects of it, on the files that pre-commit would give it.

pre-commit installs the repository (`language: python`), chooses files by `types`, `files` and
`exclude`, and runs the words of `entry` with their names behind. Exit code 0 lets the commit pass.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
GOOD = (ROOT / "examples/manifests/minimal.yaml").read_text()
FILES = {
    "good.yaml": GOOD,
    "bad.yaml": GOOD.replace("kind: StreamPipeline", "kind: StreamPipline"),
    "other.yaml": "kind: ConfigMap\n",
    "template.yaml": '{{- if .Values.on }}\nkind: ConfigMap\nname: {{ "x" }}\n{{- end }}\n',
    "torn.yaml": "kind: StreamPipeline\n\t- x\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def commit(repository: Path, *names: str) -> subprocess.CompletedProcess[str]:
    program, *words = shlex.split(HOOK["entry"])
    installed = Path(sys.executable).parent / program
    return subprocess.run(
        [str(installed), *words, *HOOK.get("args", []), *names],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_file_says_what_pre_commit_asks_for() -> None:
    assert {"id", "name", "entry", "language"} <= HOOK.keys()
    assert HOOK["language"] == "python", "pre-commit makes the environment by pip install ."
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert shlex.split(HOOK["entry"])[0] in scripts


def test_the_page_names_this_hook() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    assert f"- id: {HOOK['id']}\n" in page


@pytest.mark.parametrize("name", ["pipeline.yaml", "deploy/prod/flights.yml"])
def test_manifests_are_given_to_it(name: str) -> None:
    assert HOOK["types"] == ["yaml"], "pre-commit's word for .yaml and .yml"
    assert re.search(HOOK.get("files", ""), name)
    assert not re.search(HOOK.get("exclude", "^$"), name)


@pytest.mark.parametrize("names", [("good.yaml",), ("other.yaml", "template.yaml", "good.yaml")])
def test_a_good_commit_passes(repository: Path, names: tuple[str, ...]) -> None:
    done = commit(repository, *names)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout == "1 manifest in 1 file is valid\n"


def test_a_bad_one_does_not(repository: Path) -> None:
    done = commit(repository, "other.yaml", "bad.yaml", "good.yaml")
    assert done.returncode == 2
    told = r"bad\.yaml:\d+: minimal: error: kind: write kind: StreamPipeline\n"
    assert re.fullmatch(told, done.stdout)
    torn = commit(repository, "torn.yaml")
    assert (torn.returncode, torn.stdout[:21]) == (2, "torn.yaml:2: error: t")
