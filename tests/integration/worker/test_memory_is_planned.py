"""`headrace plan`: by figures, or by a stream that is there."""

import json
from typing import Any

import pytest
from tests.support.command_line import at, headrace
from tests.support.workers import STREAM, Stage

FIGURES = ["--rate", "500/s", "--payload", "1KiB"]


def told(stage: Stage, *arguments: str) -> dict[str, Any]:
    done = at(stage.server, "plan", *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def filled(stage: Stage, entries: int, payload: int) -> None:
    """Ten a second."""
    pipeline = stage.redis.pipeline(transaction=False)
    for n in range(entries):
        fields = {"type": "t", "version": 1, "payload": "x" * payload}
        pipeline.xadd(STREAM, fields, id=f"{1_795_680_000_000 + 100 * n}-0")
    pipeline.execute()


def test_without_a_redis_it_needs_figures_alone() -> None:
    done = headrace("plan", *FIGURES, "--retention", "24h")
    assert (done.returncode, done.stderr) == (0, "")
    assert "entries          43,200,000  500.0/s for 24h\n" in done.stdout
    assert done.stdout.endswith('    maxLength: 43200000\n    schedule: "0 * * * *"\n')


def test_a_stream_tells_its_own_costs_and_rate(stage: Stage) -> None:
    filled(stage, 5_000, 256)
    found = told(stage, STREAM, "--retention", "1h")
    assert found["entries"] == pytest.approx(36_000, rel=0.01)
    # MEMORY USAGE of Redis says more than used_memory grows.
    assert 250 < found["entryBytes"] < 350
    assert found["server"]["usedBytes"] > 1_000_000


def test_a_server_is_asked_whether_it_has_the_memory(stage: Stage) -> None:
    stage.redis.config_set("maxmemory", "1gb")
    try:
        small = at(stage.server, "plan", "--rate", "1/s", "--payload", "100B", "--retention", "1h")
        large = at(stage.server, "plan", *FIGURES, "--retention", "24h")
    finally:
        stage.redis.config_set("maxmemory", "0")
    assert "of 1.0 GiB: enough" in small.stdout
    assert "of 1.0 GiB: too little" in large.stdout
    none = at(stage.server, "plan", *FIGURES, "--retention", "24h")
    assert "used now, without a maxmemory" in none.stdout


def test_wrong_input_is_a_sentence(stage: Stage) -> None:
    stage.redis.xadd("few", {"a": 1})
    stage.redis.set("text", "x")
    for arguments, code, said in (
        ([*FIGURES, "--retention", "1d"], 2, "a duration is written like"),
        ([*FIGURES, "--retention", "0s"], 2, "--retention is 0"),
        (["--rate", "5", "--payload", "1KiB", "--retention", "1h"], 2, "'5' is no rate"),
        (["--rate", "5/s", "--payload", "x", "--retention", "1h"], 2, "'x' is no size"),
        (["--retention", "1h"], 2, "give --rate and --payload, or a stream"),
        (["nothing", "--retention", "1h"], 1, "there is no stream nothing"),
        (["text", "--retention", "1h"], 1, "holds a string, not a stream"),
        (["few", "--retention", "1h"], 1, "few does not tell how fast it grows: give --rate"),
    ):
        done = at(stage.server, "plan", *arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert said in done.stderr
