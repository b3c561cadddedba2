"""What of a reading enters an observation."""

from tests.support.observations import backlog, group_backlog

from headrace_operator.backlog.wakeups import Reading
from headrace_operator.reconcile.observe import known_backlog


def test_a_reading_says_nothing_of_a_group_that_was_created_after_it() -> None:
    missing = group_backlog(None, exists=False)
    reading = Reading(backlog(audit=group_backlog(3), late=missing), None, clock=10.0)

    before = known_backlog(reading, {"late": 10.2})
    assert before is not None
    assert list(before.groups) == ["audit"], "it would be taken for one that Redis has lost"

    after = known_backlog(reading, {"late": 9.9})
    assert after is not None
    assert list(after.groups) == ["audit", "late"]
