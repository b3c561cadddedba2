"""A mutant counts as caught only by a bound that it names, and never by a slip of its own."""

from tests.crash.mutants.hunt import confirm, judge
from tests.crash.mutants.mutant import mutant, short
from tests.crash.report import Report
from tests.crash.results import Result
from tests.support.broken_package import Hunted, Verdict

RUN = short("kills")


def result(**violations: str) -> Result:
    report = Report(sent=1, violations={bound: [said] for bound, said in violations.items()})
    return Result.of(RUN, report, 1.0)


def test_it_is_caught_by_a_bound_that_it_names() -> None:
    assert judge(mutant("m", RUN, "lost"), result(lost="event 3")).verdict is Verdict.CAUGHT


def test_it_escapes_where_only_others_are_broken() -> None:
    assert judge(mutant("m", RUN, "lost"), result(order="event 3")).verdict is Verdict.ESCAPED


def test_it_is_broken_when_a_worker_dies_of_something_else() -> None:
    said = result(lost="event 3", defects="AttributeError: no attribute 'x'")
    hunted = judge(mutant("m", RUN, "lost"), said)
    assert hunted.verdict is Verdict.BROKEN
    assert "AttributeError" in hunted.why


def test_death_is_a_bound_where_the_log_says_what_the_mutant_names() -> None:
    deadly = mutant("m", RUN, "defects", dies_of="zip() argument")
    assert judge(deadly, result(defects="ValueError: zip() argument 2")).verdict is Verdict.CAUGHT
    assert judge(deadly, result(defects="NameError: 'x'")).verdict is Verdict.BROKEN


def test_a_bound_that_the_unbroken_package_breaks_in_that_run_proves_nothing() -> None:
    caught = Hunted(Verdict.CAUGHT, "calm", "event 3 was delivered twice")
    assert confirm(caught, result(held="a worker held 90")) == caught
    assert confirm(caught, result(calm="event 7")).verdict is Verdict.BROKEN
