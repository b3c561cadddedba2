"""The images that run hold no compiler, no pip of their own, and no leftovers of a build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from make import image_bill, image_contents
from make.image_contents import COMPILERS, LEFT_BEHIND, SHELLS, Contents
from tests.cluster import existing, paths
from tests.cluster.images import build

ROOT = Path(__file__).parents[2]
DOCKERFILES = {"operator": "operator/Dockerfile", "worker": "worker_image/Dockerfile"}
pytestmark = pytest.mark.skipif(
    existing.kubeconfig() is not None, reason="HEADRACE_KUBECONFIG: images are not built here"
)


@pytest.fixture(scope="module", params=sorted(DOCKERFILES))
def name(request: pytest.FixtureRequest) -> str:
    asked: str = request.param
    return asked


@pytest.fixture(scope="module")
def contents(name: str) -> Contents:
    tag = f"ghcr.io/headrace/{name}:{paths.version()}"
    return image_contents.read(build.build(ROOT / DOCKERFILES[name], tag))


def test_nothing_compiles_in_it(contents: Contents) -> None:
    assert contents.matching(COMPILERS) == []


def test_the_build_leaves_nothing_behind(contents: Contents) -> None:
    assert contents.matching(LEFT_BEHIND) == []


def test_the_environment_that_runs_has_no_pip(contents: Contents) -> None:
    own = {file for file in contents.files if file.startswith("opt/headrace/")}
    assert any(file.endswith("/bin/headrace") for file in own)
    assert not [file for file in own if "/site-packages/pip/" in file or file.endswith("/bin/pip")]


def test_its_bytecode_is_fresh_whatever_time_its_files_have(contents: Contents) -> None:
    own = {file for file in contents.files if file.startswith("opt/headrace/")}
    assert any("/headrace/__pycache__/__init__.cpython-" in file for file in own)
    assert not contents.timed_bytecode & own


def test_no_shell_is_there_but_the_bases_own(contents: Contents) -> None:
    assert {Path(file).name for file in contents.matching(SHELLS)} <= {"sh", "dash", "bash"}


def test_its_bill_names_the_program_and_the_system_below_it(name: str, contents: Contents) -> None:
    text = json.dumps(image_bill.bill(name, paths.version(), contents))
    own = f"pkg:pypi/headrace@{paths.version()}"
    for part in (own, "pkg:pypi/redis@", "pkg:deb/debian/libc6@"):
        assert part in text
