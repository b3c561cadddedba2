"""A mutant whose text is no longer in the code would prove nothing; mypy's look at each of them is
in tests/unit/crash."""

from pathlib import Path

import pytest
from tests.crash.mutants import MUTANTS
from tests.crash.mutants.mutant import Mutant, write


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_text_that_it_replaces_stands_once_in_the_package(
    mutant: Mutant, tmp_path: Path
) -> None:
    write(mutant, tmp_path)
