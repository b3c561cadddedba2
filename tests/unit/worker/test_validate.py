"""`headrace validate` tells every problem of every file, with its line."""

import json
import re
from pathlib import Path

import pytest
from tests.unit.docs.pages import ROOT
from typer.testing import CliRunner

from headrace.cli import app

BAD = """\
apiVersion: headrace.dev/v1alpha1
kind: Streampipeline
metadata: {name: flights}
spec:
  redis: {endpoints: [redis:6379]}
  stream: {name: a, name: b}
  groups:
  - {name: delays, worker: {handler: a}}
"""


def validate(*arguments: str | Path) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, ["validate", *map(str, arguments)])
    return done.exit_code, done.output.splitlines()


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path / "bad.yaml"


def test_all_problems_are_told_in_the_order_of_their_lines(bad: Path) -> None:
    code, lines = validate(bad)
    assert code == 2
    assert [line.removeprefix(str(bad)) for line in lines] == [
        ":2: flights: error: kind: write kind: StreamPipeline",
        ":6: flights: error: spec.stream.name: stands twice, first in line 6; keep one",
        ":8: flights: error: spec.groups[0].worker.handler: handler is module:attribute, such as"
        " handlers:app",
    ]


def test_a_wrong_name_is_told_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "named.yaml"
    name = "metadata:\n  labels: {}\n  name: flights.v1"
    good = BAD.replace("pipeline", "Pipeline").replace("{handler: a}", "{handler: a:b}")
    file.write_text(good.replace(", name: b", "").replace("metadata: {name: flights}", name))
    code, (told,) = validate(file)
    assert code == 2
    assert told.startswith(f"{file}:5: flights.v1: error: metadata.name takes at most 52 lower-")


def test_a_file_that_cannot_be_read_does_not_hide_the_next(bad: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.yaml").write_text("kind: StreamPipeline\n\t")
    code, lines = validate(tmp_path / "nothing.yaml", tmp_path / "torn.yaml", bad)
    assert code == 2
    assert "nothing.yaml: error: cannot read" in lines[0]
    assert "torn.yaml:2: error: " in lines[1]
    assert len(lines) == 2 + 3


def test_the_same_for_programs(bad: Path) -> None:
    code, lines = validate(bad, "-o", "json")
    first = json.loads(lines[0])[0]
    assert code == 2
    assert first == {
        "file": str(bad),
        "line": 2,
        "name": "flights",
        "severity": "error",
        "path": "kind",
        "problem": "kind: write kind: StreamPipeline",
    }


def test_a_directory(bad: Path) -> None:
    code, (line,) = validate(ROOT / "examples")
    assert code == 0
    assert re.fullmatch(r"[1-9]\d* manifests in [1-9]\d* files are valid", line)
    assert validate(bad.parent)[0] == 2


def test_standard_input_is_called_by_its_name() -> None:
    for text, said in (("kind: ConfigMap\n", "holds no StreamPipeline"), ("a: [", "is no YAML")):
        done = CliRunner().invoke(app, ["validate", "-"], input=text)
        assert done.exit_code == 2
        assert f": error: standard input {said}" in done.output


def test_no_pipeline_at_all_is_wrong_unless_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("kind: ConfigMap\n")
    for path in (tmp_path, tmp_path / "other.yaml"):
        assert validate(path) == (2, [f"{path}: error: {path} holds no StreamPipeline"])
        assert validate("--allow-none", path) == (0, ["0 manifests in 0 files are valid"])


def test_a_connection_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "shared.yaml"
    head = "apiVersion: headrace.dev/v1alpha1\nkind: RedisConnection\nmetadata: {name: shared}\n"
    file.write_text(f"{head}spec:\n  endpoint: [a]\n  mode: Cluster\n  database: 1\n")
    code, told = validate(file)
    assert code == 2
    assert f"{file}:5: shared: error: spec.endpoint: unknown field; did you mean endpoints?" in told
    file.write_text(f"{head}spec:\n  endpoints: [a]\n  mode: Cluster\n  database: 1\n")
    code, told = validate(file)
    assert any("database: Redis Cluster has database 0 only" in line for line in told)
    assert any(":5: shared: error: spec.endpoints: each endpoint is host:port" in o for o in told)
    file.write_text(f"{head}spec: {{endpoints: ['a:1']}}\n")
    assert validate(file) == (0, ["1 manifest in 1 file is valid"])
