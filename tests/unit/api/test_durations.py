"""Durations are Kubernetes's: whole h, m, s and ms, and nothing else."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from headrace_api.duration import LONGEST, MAX_LENGTH, Duration, format_duration, parse

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
MILLISECOND = timedelta(milliseconds=1)


@given(st.integers(0, parse(LONGEST) // MILLISECOND))
def test_a_duration_survives_the_wire(milliseconds) -> None:
    value = milliseconds * MILLISECOND
    text = format_duration(value)
    assert len(text) <= MAX_LENGTH
    assert parse(text) == value
    assert DURATION.validate_json(DURATION.dump_json(value)) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1h30m", 5400), ("168h", 604800), ("250ms", 0.25), ("0s", 0), ("30m1h", 5400)],
)
def test_a_duration_is_the_sum_of_its_parts(text, seconds) -> None:
    assert DURATION.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["60", "1d", "1.5h", "-1s", "", "1 h", "1h1m1s1ms1s", "1s\n", 60])
def test_anything_else_is_refused_with_an_example(text) -> None:
    with pytest.raises(ValidationError, match="a duration is written like 30s, 5m or 168h"):
        DURATION.validate_python(text)


def test_ten_years_are_the_longest() -> None:
    with pytest.raises(ValidationError, match="between 0s and 87600h"):
        DURATION.validate_python("87601h")
