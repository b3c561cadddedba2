"""A mutant that no longer fits the code would prove nothing, and only the long run would say so."""

from pathlib import Path

import pytest
from tests.hostile.actions import ACTS
from tests.hostile.mutants import MUTANTS, Mutant, write


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_its_text_stands_once_in_the_package(mutant: Mutant, tmp_path: Path) -> None:
    write(mutant, tmp_path)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_its_acts_exist(mutant: Mutant) -> None:
    assert set(mutant.acts) <= set(ACTS)
