"""Schedules are judged as the CronJob controller would."""

import pytest

from headrace_api import cron


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5 * * * *",
        "3-59/5 * * * *",
        "0,30 8-18 1 JAN-MAR mon-fri",
        "0  0 ? * 0",
        "5/15 * * * *",
        "@daily",
        "@midnight",
    ],
)
def test_a_schedule_is_accepted(schedule) -> None:
    assert cron.problem(schedule) is None
    assert cron.is_shaped(schedule)


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        ("61 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 7", "day of week"),
        ("*/0 * * * *", "minute"),
        ("9-3 * * * *", "minute"),
        ("1, * * * *", "minute"),
        ("jan * * * *", "minute"),
        ("1-2-3 * * * *", "minute"),
    ],
)
def test_a_time_that_does_not_exist_is_told(schedule, field) -> None:
    assert f"the {field} of a schedule takes" in (cron.problem(schedule) or "")
    assert not cron.is_shaped(schedule) or schedule == "9-3 * * * *", "the API server cannot tell"


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "* * * * * *", "@every 5m", "TZ=UTC * * * * *", "* * * * *\n"]
)
def test_what_is_no_schedule_is_told_what_one_is(schedule) -> None:
    assert cron.problem(schedule) == cron.SENTENCE
