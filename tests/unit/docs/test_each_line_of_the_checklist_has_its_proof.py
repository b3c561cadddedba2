"""docs/operate/production.md: no line without a test, and each test is there under its name. What a
line tells to set can be set, and has the default that the line says."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from tests.support import yaml_text
from tests.unit.docs.commands import problem
from tests.unit.docs.pages import ROOT

PAGE = ROOT / "docs/operate/production.md"
LINES = [
    line
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| check |")
]
# Neither a value of the chart, nor a field of a pipeline, nor a command, nor an alert: where it is.
ELSEWHERE = {
    "values.schema.json": "charts/headrace/values.yaml",
    "headrace.testing.Harness": "docs/handlers.md",
    "appendonly yes": "worker_image/headrace/cli/preflight.py",
    "maxmemory-policy noeviction": "worker_image/headrace/cli/preflight.py",
    "PersistenceRisk": "docs/reference/conditions.md",
    "Ready": "docs/reference/conditions.md",
    "kubectl headrace": "docs/kubectl-plugin.md",
    "status": "docs/kubectl-plugin.md",
    "dead": "docs/kubectl-plugin.md",
    "debug bundle": "docs/kubectl-plugin.md",
}
PROGRAMS = ("headrace", "helm", "kubectl")


def wrong(line: str) -> str | None:
    """What is wrong with the proof of a line."""
    proofs = re.findall(r"`(tests/[^`]+)`", line.rsplit("|", 2)[1])
    if not proofs:
        return "no test"
    for proof in proofs:
        path, _, name = proof.partition("::")
        if not (ROOT / path).is_file():
            return f"{path} does not exist"
        if name and f"def {name}(" not in (ROOT / path).read_text("utf-8"):
            return f"{path} has no {name}"
    return None


def unknown(line: str) -> str | None:
    """What a line tells to set or to run, and is not there."""
    how = line.split("|")[2]
    for words in re.findall(r"`([^`]+)`", how):
        name, _, value = words.partition(": ")
        if words in ELSEWHERE or words in alerts():
            continue
        if words.split()[0] in PROGRAMS:
            if said := problem(words.split()):
                return said
            continue
        found = [default for path, default in settings() if f".{path}".endswith(f".{name}")]
        if not found:
            return f"nothing is called {name}"
        if "default" in how and value and str(found[0]).lower() != value.lower():
            return f"{name} is {found[0]} by default"
    return None


@cache
def alerts() -> frozenset[str]:
    rules = yaml_text.load((ROOT / "charts/headrace/files/alerts.yaml").read_text("utf-8"))
    return frozenset(rule["alert"] for group in rules["groups"] for rule in group["rules"])


@cache
def settings() -> tuple[tuple[str, Any], ...]:
    """(path, default) of the chart's values, and of the fields of a StreamPipeline."""
    values = yaml_text.load((ROOT / "charts/headrace/values.yaml").read_text("utf-8"))
    crd = yaml_text.load((ROOT / "crds/streampipelines.headrace.dev.yaml").read_text("utf-8"))
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return (*_values(values), *_fields(spec))


def _values(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        yield f"{above}{name}", value
        if isinstance(value, dict):
            yield from _values(value, f"{above}{name}.")


def _fields(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{above}{name}", field.get("default")
        yield from _fields(field.get("items", field), f"{above}{name}.")


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_the_line_names_a_test_that_is_there(line: str) -> None:
    assert wrong(line) is None


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_what_the_line_tells_to_set_can_be_set(line: str) -> None:
    assert unknown(line) is None


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_told_elsewhere_is_there(name: str) -> None:
    text = (ROOT / ELSEWHERE[name]).read_text("utf-8")
    assert all(word in text for word in name.split("."))


def test_every_table_is_read() -> None:
    assert len(LINES) > 40


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("| a | b | |", "no test"),
        ("| a | `tests/x.py` | |", "no test"),
        ("| a | b | `tests/unit/docs/nowhere.py` |", "does not exist"),
        ("| a | b | `tests/unit/docs/pages.py::test_it` |", "has no test_it"),
    ],
)
def test_a_line_without_its_proof_is_found(line: str, sentence: str) -> None:
    assert sentence in str(wrong(line))


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("`metrics.podMonitors`", "nothing is called metrics.podMonitors"),
        ("`worker.imag`", "nothing is called worker.imag"),
        ("alert `HeadraceEverythingFine`", "nothing is called HeadraceEverythingFine"),
        ("`headrace validat x.yaml`", "No such command"),
        ("`replicas: 3`, the default", "replicas is 2 by default"),
        ("`deletionPolicy: Delete`, the default", "deletionPolicy is Retain by default"),
        ("`replicas: 3`", "None"),
        ("`crds.keep: true`, the default", "None"),
    ],
)
def test_a_line_that_tells_to_set_what_is_not_there_is_found(how: str, sentence: str) -> None:
    assert sentence in str(unknown(f"| a | {how} | b |"))
