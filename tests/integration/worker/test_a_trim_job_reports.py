"""A trim Job leaves its result where the kubelet finds it: removed, left, freed, and who keeps
what."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.workers import GROUP, STREAM, Stage

from headrace.cli import trim_job
from headrace_api.mounts import ENV_POD, ENV_TRIM


@pytest.fixture
def told(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the Job; its termination message."""
    message = tmp_path / "termination-log"
    message.touch()
    config = {
        "redis": {"endpoints": [stage.server.endpoint]},
        "stream": STREAM,
        "groups": [GROUP],
        "maxLength": 100,
    }
    monkeypatch.setenv(ENV_POD, "trim-1")
    monkeypatch.setattr(trim_job, "TERMINATION_LOG", str(message))

    def run(**changes: Any) -> dict[str, Any]:
        monkeypatch.setenv(ENV_TRIM, json.dumps(config | changes))
        trim_job.run_trim_job()
        return json.loads(message.read_text())

    return run


def test_what_was_removed_and_which_consumer_keeps_the_rest(stage: Stage, told: Any) -> None:
    stage.send(*({"n": n} for n in range(1000)))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    assert told()["heldBackBy"] == GROUP
    ids = [one[0] for one in stage.redis.xreadgroup(GROUP, "slow", {STREAM: ">"})[0][1]]
    stage.redis.xack(STREAM, GROUP, *ids[:800])
    report = told()
    assert report.pop("freedBytes") > 1000
    assert report == {"removed": 800, "length": 200, "heldBackBy": GROUP, "consumer": "slow"}
    stage.redis.xack(STREAM, GROUP, *ids)
    report = told()
    assert (report["removed"], report["length"]) == (100, 100)
    assert "heldBackBy" not in report


def test_force_says_what_it_destroyed(
    stage: Stage, told: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.send(*range(1000))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "slow", {STREAM: ">"}, count=150)
    report = told(policy="Force")
    assert report["destroyed"] == [{"group": GROUP, "unread": 750, "pending": 150}]
    assert capsys.readouterr().out.splitlines() == [
        f"{STREAM}: removed 900, 100 left",
        f"policy Force destroyed entries of {GROUP}: 750 not read, 150 read and not settled",
    ]
    assert "destroyed" not in told(policy="Force")


def test_a_report_of_many_groups_fits_a_termination_message(stage: Stage, told: Any) -> None:
    stage.send(*range(200))
    for n in range(40):
        stage.redis.xgroup_create(STREAM, f"{'g' * 250}{n}", "0")
    assert len(told(policy="Force")["destroyed"]) == 8
    assert len(json.dumps(told(policy="Force"))) < 4096


def test_without_the_right_to_ask_for_memory_the_rest_is_told(stage: Stage, told: Any) -> None:
    stage.send(*({"n": n} for n in range(200)))
    stage.redis.xgroup_create(STREAM, GROUP, "$")
    stage.redis.execute_command("ACL", "SETUSER", "default", "-memory|usage")
    try:
        assert told() == {"removed": 100, "length": 100}
    finally:
        stage.redis.execute_command("ACL", "SETUSER", "default", "+@all")
