"""The workflows run what exists, with no more rights than they need."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from make.release import CHARTS
from make.release_files import CHECKSUMS
from tests.unit.docs.commands import targets

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_make_target_of_a_workflow_exists(workflow: Path) -> None:
    words = " ".join(step.get("run", "") for step in steps(workflow)).replace(")", " ").split()
    called = {
        after.removeprefix("--silent")
        for word, after in zip(words, [*words[1:], ""], strict=True)
        if word.endswith("make")
    }
    assert called - {""} <= targets()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_otherwise(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text("utf-8"))["permissions"] == {"contents": "read"}
    checkouts = [step for step in steps(workflow) if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_what_runs_as_root_finds_the_programs_of_the_job(workflow: Path) -> None:
    """sudo has a PATH of its own (secure_path), whatever it is told to preserve."""
    runs = [step.get("run", "") for step in steps(workflow)]
    as_root = [run for run in runs if "sudo " in run and "make " in run]
    assert len(as_root) == 1
    assert as_root[0].startswith('sudo env "PATH=$PATH" ')


def test_only_a_tag_publishes() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))["jobs"]
    publishing = [name for name in jobs if name != "files"]
    assert publishing == ["images", "wheel", "release"]
    assert all(jobs[name]["if"] == "github.event_name == 'push'" for name in publishing)


def test_a_release_is_signed_by_the_workflow_and_by_no_key_of_a_rehearsal() -> None:
    runs = [step.get("run", "") for step in steps(ROOT / ".github/workflows/release.yml")]
    assert not [run for run in runs if "release-dry-run" in run or "make.signatures" in run]
    signed = [number for number, run in enumerate(runs) if "cosign sign-blob" in run]
    built = [number for number, run in enumerate(runs) if "make release-files" in run]
    assert (len(built), len(signed)) == (1, 1)
    assert built < signed
    assert runs[signed[0]].endswith(f"dist/release/{CHECKSUMS}")
    assert "--key" not in "".join(runs)


def test_what_is_pushed_as_charts_are_the_charts_alone() -> None:
    """The OLM bundle is a .tgz beside them."""
    text = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    (pattern,) = re.findall(r"for chart in dist/release/(\S+); do", text)
    charts = [yaml.safe_load((ROOT / one / "Chart.yaml").read_text("utf-8")) for one in CHARTS]
    assert all(fnmatch(f"{chart['name']}-{chart['version']}.tgz", pattern) for chart in charts)
    assert not fnmatch("olm-bundle-0.1.0.tgz", pattern)
