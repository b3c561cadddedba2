"""Outcome, exception or time-out -> acknowledged, retried or dead letter."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headrace
from headrace.entry import Entry
from headrace.outcomes import returned_ending
from headrace.streams.entries import Record
from headrace.worker.backoff import delay
from headrace.worker.handling.returned import batch_endings
from headrace.worker.settling.decision import (
    MAX_ERROR_LENGTH,
    HandlerTimeout,
    Kind,
    Policy,
    crashed_too_often,
    decide,
    unknown_type,
)

POLICY = Policy(max_retries=2, max_crashes=3, backoff_initial=1.0, backoff_max=60.0)
FIELDS = [b"type", b"flight.landed", b"version", b"1", b"payload", b"{}"]


def entry(failures: int = 0, **record: int) -> Entry:
    one = Entry(b"1-0", FIELDS)
    one.record = Record(failures=failures, **record)
    return one


@pytest.mark.parametrize(
    ("ending", "kind", "failed"),
    [
        (headrace.Skip(), Kind.SKIP, False),
        (headrace.Reject("not ours"), Kind.DEAD_LETTER, True),
        (headrace.Retry(after=5), Kind.RETRY, False),
        (headrace.Retry(after=5, counts=True), Kind.RETRY, True),
        (headrace.Retry(), Kind.RETRY, True),
        (headrace.Retry(counts=False), Kind.RETRY, False),
        (ValueError("bad"), Kind.RETRY, True),
        (HandlerTimeout("slow"), Kind.RETRY, True),
        (KeyboardInterrupt(), Kind.RETRY, True),
    ],
)
def test_the_first_ending(ending: BaseException, kind: Kind, failed: bool) -> None:
    decision = decide(entry(), ending, POLICY)
    assert (decision.kind, decision.failed) == (kind, failed)


def test_retry_after_stands_before_the_back_off() -> None:
    assert decide(entry(), headrace.Retry(after=5), POLICY).delay == 5
    assert decide(entry(), headrace.Retry(after=0), POLICY).delay == 0
    assert decide(entry(), headrace.Retry(after=timedelta(minutes=1)), POLICY).delay == 60


@pytest.mark.parametrize(
    "after",
    [
        -1,
        math.inf,
        math.nan,
        1e17,
        -0.001,
        "30",
        True,
        [1],
        timedelta(days=-1),
        timedelta.max,
        10**400,
    ],
)
def test_a_retry_at_no_time_is_refused_where_it_is_written(after) -> None:
    with pytest.raises(ValueError, match=r"Retry\(after=.*\): give"):
        headrace.Retry(after=after)


@given(st.integers(0, 10**6))
def test_a_retry_that_waits_for_something_else_never_ends_in_a_dead_letter(failures: int) -> None:
    decision = decide(entry(failures), headrace.Retry("rate limited", after=1), POLICY)
    assert (decision.kind, decision.failed) == (Kind.RETRY, False)


class Untellable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Hollow(headrace.Retry):
    def __init__(self) -> None: ...


@pytest.mark.parametrize("kind", [headrace.Reject, headrace.Skip, headrace.Retry])
@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("no such carrier", "no such carrier"),
        (ValueError("bad"), "ValueError: bad"),
        (KeyError(), "KeyError"),
        (Untellable(), "Untellable"),
        (None, "None"),
        (7, "7"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_any_reason_has_its_text(kind: type[headrace.Outcome], reason: object, text: str) -> None:
    outcome = kind(reason)
    assert outcome.reason == str(outcome) == text
    if kind is not headrace.Skip:
        assert decide(entry(), outcome, POLICY).error == (text or kind.__name__)


@pytest.mark.parametrize("ending", [Untellable(), Hollow(), BaseException(), GeneratorExit()])
def test_an_ending_that_cannot_tell_itself_is_decided_as_any_other(ending: BaseException) -> None:
    decision = decide(entry(), ending, POLICY)
    assert decision.kind is Kind.RETRY
    assert decision.error == decision.error_type == type(ending).__name__


class Needy(Exception):
    def __init__(self, code: int) -> None: ...


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (headrace.Retry, headrace.Retry),
        (headrace.Reject, headrace.Reject),
        (headrace.Skip("x"), headrace.Skip),
        (ValueError("bad"), ValueError),
        (Needy, TypeError),
        (KeyboardInterrupt, KeyboardInterrupt),
        (int, type(None)),
        ("done", type(None)),
        (False, type(None)),
    ],
)
def test_an_exception_that_is_returned_counts_as_raised_its_class_too(result, kind) -> None:
    assert isinstance(returned_ending(result), kind)


@given(st.integers(0, 50), st.integers(0, 50))
def test_an_event_is_tried_max_retries_and_once_more(max_retries: int, failures: int) -> None:
    policy = Policy(max_retries, 3, 1.0, 60.0)
    for ending in (ValueError("bad"), headrace.Retry(), headrace.Retry(after=1, counts=True)):
        kind = decide(entry(failures), ending, policy).kind
        assert kind is (Kind.RETRY if failures < max_retries else Kind.DEAD_LETTER)


@given(
    st.integers(1, 10_000),
    st.floats(0.001, 100),
    st.floats(0.001, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_the_back_off_doubles_between_its_bounds(failures, initial, maximum, chance) -> None:
    wait = delay(failures, initial=initial, maximum=maximum, rng=lambda: chance)
    assert min(initial, maximum) / 2 <= wait <= maximum
    if failures == 1 and initial <= maximum:
        assert wait <= initial


def test_only_crashes_while_alone_condemn_an_event() -> None:
    assert not crashed_too_often(entry(crashes=99, killed=2), POLICY)
    assert crashed_too_often(entry(crashes=3, killed=3), POLICY)


@given(st.text())
def test_a_long_error_is_cut_and_says_where_it_came_from(text: str) -> None:
    def handler() -> None:
        raise ValueError(text)

    try:
        handler()
    except ValueError as error:
        decision = decide(entry(), error, POLICY)
    assert decision.error_type == "ValueError"
    assert len(decision.error) <= MAX_ERROR_LENGTH
    assert len(text) > 900 or "(handler, line " in decision.error


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (FIELDS, "no handler for type 'flight.landed' version '1'"),
        ([b"type", b"\xff", b"version", b"x"], "no handler for type '\ufffd' version 'x'"),
        ([b"some", b"thing"], "no handler for an entry without a type field"),
    ],
)
def test_an_unknown_type_is_named(fields: list[bytes], reason: str) -> None:
    assert unknown_type(Entry(b"1-0", fields), POLICY).error == reason


def test_a_batch_answers_for_each_of_its_events() -> None:
    bad = ValueError("bad")
    assert batch_endings(None, 2) == [None, None]
    assert batch_endings([None, bad], 2) == [None, bad]
    with pytest.raises(TypeError, match="a list of 2 outcomes, one per event"):
        batch_endings([None], 2)
    with pytest.raises(TypeError, match="a list of 2 outcomes"):
        batch_endings((None, None), 2)
    slip, fine = batch_endings(["done", None], 2)
    assert "a str is no outcome" in str(slip)
    assert fine is None
    (ending, _) = batch_endings([headrace.Reject, None], 2)
    assert isinstance(ending, headrace.Reject)
    for all_of_them in (bad, headrace.Retry):
        with pytest.raises(all_of_them if isinstance(all_of_them, type) else ValueError):
            batch_endings(all_of_them, 2)
