"""What was decided for an entry, as the commit takes it, and what becomes of it when refused."""

import pytest

from headrace.entry import Entry
from headrace.streams.settlement import Ack, DeadLetter, Mark, Output, Park
from headrace.worker.log_limit import INTERVAL_SECONDS, LogLimit
from headrace.worker.settling.decision import ACK, DUPLICATE, SKIP, Decision, Kind, dead_letter
from headrace.worker.settling.refusals import MAX_PAUSE_SECONDS, instead
from headrace.worker.settling.settlements import settlement, success

FIELDS = [b"type", b"flight.landed"]
PARK = Decision(Kind.RETRY, "slow", "HandlerTimeout", 1.5, failed=True)


@pytest.mark.parametrize(
    ("decision", "outcome"),
    [
        (ACK, Ack()),
        (SKIP, Ack()),
        (DUPLICATE, Ack()),
        (PARK, Park(1500, "slow", failure=True)),
        (Decision(Kind.RETRY, delay=-1.0), Park(0, "", failure=False)),
        (dead_letter("bad", "Reject"), DeadLetter(FIELDS, "bad", "Reject")),
    ],
)
def test_each_decision_has_its_outcome(decision: Decision, outcome) -> None:
    made = settlement(Entry(b"1-0", FIELDS), decision, 0)
    assert (made.id, made.delivery_count, made.outcome) == (b"1-0", 1, outcome)
    assert made.fenced


def test_a_success_carries_outputs_and_a_mark_and_a_skip_its_outputs() -> None:
    entry = Entry(b"1-0", FIELDS)
    entry.event_id, entry.outputs = b"e", [Output("out", FIELDS)]
    made = success(entry, 1000)
    assert (made.outputs, made.mark) == (entry.outputs, Mark(b"e", 1000, None))
    assert success(entry, 0).mark is None
    made = settlement(entry, SKIP, 1000)
    assert (made.outputs, made.mark) == (entry.outputs, None)
    for decision in (DUPLICATE, PARK, dead_letter("bad", "Reject")):
        made = settlement(entry, decision, 1000)
        assert (made.outputs, made.mark) == ((), None)


@pytest.mark.parametrize("decision", [ACK, PARK, dead_letter("bad", "Reject")])
def test_what_was_trimmed_while_it_was_held_is_settled_without_the_fence(
    decision: Decision,
) -> None:
    entry = Entry(b"1-0", FIELDS)
    entry.trimmed = True
    assert not settlement(entry, decision, 0).fenced


@pytest.mark.parametrize(
    ("decision", "reason", "kind"),
    [
        (ACK, "WRONGTYPE out holds a string", Kind.DEAD_LETTER),
        (ACK, "NOPERM no permissions", Kind.DEAD_LETTER),
        (ACK, "ERR more fields than a script can pass on", Kind.DEAD_LETTER),
        (ACK, "OOM command not allowed", Kind.RETRY),
        (dead_letter("bad", "Reject"), "WRONGTYPE dead holds a string", Kind.RETRY),
        (dead_letter("bad", "Reject"), "OOM command not allowed", Kind.RETRY),
        (PARK, "WRONGTYPE retry holds a string", None),
        (SKIP, "WRONGTYPE failures holds a string", None),
    ],
)
def test_what_is_refused_is_settled_otherwise_as_long_as_anything_can_be_written(
    decision: Decision, reason: str, kind: Kind | None
) -> None:
    other = instead(Entry(b"1-0", FIELDS), decision, reason)
    assert (other and other.kind) == kind
    assert other is None or not other.failed


def test_a_skip_whose_outputs_are_refused_is_settled_as_a_success_would_be() -> None:
    entry = Entry(b"1-0", FIELDS)
    entry.outputs = [Output("out", FIELDS)]
    for reason in ("WRONGTYPE out holds a string", "OOM command not allowed"):
        skipped, done = instead(entry, SKIP, reason), instead(entry, ACK, reason)
        assert skipped is not None
        assert done is not None
        assert skipped.kind is done.kind


def test_the_pause_after_a_refusal_doubles_up_to_a_minute() -> None:
    entry = Entry(b"1-0", FIELDS)
    pauses = []
    for entry.delivery_count in (1, 2, 3, 50):
        other = instead(entry, ACK, "OOM", rng=lambda: 1.0)
        assert other is not None
        pauses.append(other.delay)
    assert pauses == [1.0, 2.0, 4.0, MAX_PAUSE_SECONDS]


def test_a_line_comes_once_in_a_while_and_tells_how_often_it_happened() -> None:
    now = 0.0
    limit = LogLimit(clock=lambda: now)
    assert [limit.due("a"), limit.due("a", 3), limit.due("b")] == [1, 0, 1]
    now = INTERVAL_SECONDS
    assert limit.due("a") == 5 - 1
    assert limit.due("a") == 0
