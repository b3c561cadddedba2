"""What Flux's `wait: true` makes of a pipeline: kstatus judges recorded and fresh statuses."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries
from tests.support.observations import SETTINGS, observe, pipeline, settled

from headrace_operator.plan import plan

RECORDED = (
    Path(__file__).parents[3]
    / "examples/gitops/argocd/resource_customizations/headrace.dev/StreamPipeline/testdata"
)
# Current: Flux goes on. InProgress: it waits, up to its timeout. Failed: it gives up at once.
EXPECTED = {
    "new": "InProgress",
    "starting": "InProgress",
    "behind": "InProgress",
    "scaling-up": "Current",
    "healthy": "Current",
    "suspended": "Current",
    "degraded": "InProgress",
    "stalled": "Failed",
}


def kstatus(path: Path) -> tuple[str, str]:
    """(status, message)"""
    done = subprocess.run(
        [binaries.kstatus(), path], capture_output=True, text=True, check=True, timeout=30
    )
    status, _, message = done.stdout.strip().partition(": ")
    return status, message


@pytest.mark.timeout(400)  # the first run builds it
@pytest.mark.parametrize("path", sorted(RECORDED.iterdir()), ids=lambda path: path.stem)
def test_a_recorded_pipeline_is_waited_for_as_long_as_it_may_become_ready(path: Path) -> None:
    status, message = kstatus(path)
    assert status == EXPECTED[path.stem], message


def test_a_failure_carries_the_sentence_of_the_condition() -> None:
    (stalled,) = (
        one
        for one in yaml.safe_load((RECORDED / "stalled.yaml").read_text())["status"]["conditions"]
        if one["type"] == "Stalled"
    )
    assert kstatus(RECORDED / "stalled.yaml") == ("Failed", stalled["message"])


@pytest.mark.parametrize(
    ("world", "status"), [(settled, "Current"), (observe, "InProgress")], ids=["settled", "young"]
)
def test_what_the_operator_writes_today_is_understood(
    world: Any, status: str, tmp_path: Path
) -> None:
    subject = pipeline()
    body = subject.model_dump(mode="json", by_alias=True, exclude_unset=True)
    body["status"] = plan(world(subject), SETTINGS).status
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(body))
    assert kstatus(file)[0] == status
