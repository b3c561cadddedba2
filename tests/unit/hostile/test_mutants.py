"""A mutant that no longer fits the code would prove nothing, and only the long run would say so."""

from pathlib import Path

import pytest
from tests.hostile.actions import ACTS
from tests.hostile.mutants import MUTANTS, Mutant, judge, mutant, write
from tests.hostile.oracles import FAULT, Violation
from tests.hostile.play import Result
from tests.hostile.story import write as write_story
from tests.support.broken_package import Verdict


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_its_text_stands_once_in_the_package(mutant: Mutant, tmp_path: Path) -> None:
    write(mutant, tmp_path)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_its_acts_exist(mutant: Mutant) -> None:
    assert set(mutant.acts) <= set(ACTS)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ((), Verdict.ESCAPED),
        (("deletion",), Verdict.CAUGHT),
        (("end state",), Verdict.ESCAPED),
        (("deletion", FAULT), Verdict.BROKEN),
    ],
)
def test_only_the_oracle_that_it_names_catches_it_and_no_slip_of_its_own(
    seen: tuple[str, ...], verdict: Verdict
) -> None:
    result = Result(write_story(1, {"evict_pod": 1}), [Violation(one, "seen") for one in seen])
    assert judge(mutant("m", "evict_pod", "deletion"), result).verdict is verdict
