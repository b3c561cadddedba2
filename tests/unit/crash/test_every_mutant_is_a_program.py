"""A mutant that no longer fits the code, or that dies of a slip of its own, would prove nothing,
and only the long run would say so."""

import shutil
from pathlib import Path

import pytest
from tests.crash.mutants import MUTANTS
from tests.crash.mutants.mutant import Mutant, mutant, short, type_errors, write


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all, so that mypy finds what it knows of the rest of the package."""
    return tmp_path_factory.mktemp("mutants")


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_its_text_stands_once_in_the_package_and_mypy_finds_no_fault(
    mutant: Mutant, place: Path
) -> None:
    directory = place / "one"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    write(mutant, directory)
    if any(edit.file.endswith(".py") for edit in mutant.edits):
        assert not type_errors(directory, place / "cache")


def test_mypy_sees_a_name_that_is_not_there(place: Path) -> None:
    directory = place / "one"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    line = '        self._metrics.counts["taken_due"] += len(entries)'
    slip = ("worker/intake/claims.py", line, line.replace('counts["taken_due"]', "taken_due"))
    write(mutant("a slip", short("kills"), "lost", slip), directory)
    assert 'has no attribute "taken_due"' in type_errors(directory, place / "cache")
