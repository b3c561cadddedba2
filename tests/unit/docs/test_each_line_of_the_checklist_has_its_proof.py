"""docs/operate/production.md: no line without a test, and each test is there under its name."""

import re

import pytest
from tests.unit.docs.pages import ROOT

PAGE = ROOT / "docs/operate/production.md"
LINES = [
    line
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| check |")
]


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


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_the_line_names_a_test_that_is_there(line: str) -> None:
    assert wrong(line) is None


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
