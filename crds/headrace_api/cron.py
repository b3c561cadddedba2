"""Cron's five fields as the CronJob controller reads them."""

import re

PATTERN = (
    r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
    r"|[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4})$"
)
SENTENCE = (
    "schedule is five cron fields such as */15 * * * * (minute, hour, day of month, month, day of"
    " week) or @hourly, @daily, @weekly, @monthly;"
    " a time zone goes into timeZone"
)

_SHAPE = re.compile(PATTERN.replace("$", r"\Z"))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def is_shaped(schedule: str) -> bool:
    """Whether it looks like a schedule: as much as the API server checks by PATTERN."""
    return _SHAPE.match(schedule) is not None


def problem(schedule: str) -> str | None:
    """What is wrong with a schedule, as a sentence; None when the CronJob controller takes it.

    The grammar is that of robfig/cron's ParseStandard, without the TZ= prefix, which the API
    server refuses, and without @every, which is no time of day.
    """
    if not is_shaped(schedule):
        return SENTENCE
    if schedule.startswith("@"):
        return None
    for text, (field, lowest, highest, names) in zip(schedule.split(), _FIELDS, strict=True):
        for item in text.split(","):
            if not _valid(item, lowest, highest, names):
                return (
                    f"the {field} of a schedule takes {lowest} to {highest}, ranges such as"
                    f" {lowest}-{highest} and steps such as */2"
                )
    return None


def _valid(item: str, lowest: int, highest: int, names: dict[str, int]) -> bool:
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span in ("*", "?"):
        return True
    first, dash, last = span.partition("-")
    start = _number(first, names)
    end = _number(last, names) if dash else start
    return start is not None and end is not None and lowest <= start <= end <= highest


def _number(text: str, names: dict[str, int]) -> int | None:
    if text.lower() in names:
        return names[text.lower()]
    return int(text) if text.isdecimal() else None
