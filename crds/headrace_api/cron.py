"""Cron's five fields as the CronJob controller reads them."""

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def _field_pattern(lowest: int, highest: int, names: dict[str, int]) -> str:
    numbers = "|".join(str(number) for number in range(highest, lowest - 1, -1))
    words = f"|(?i:{'|'.join(names)})" if names else ""
    value = f"(0?({numbers}){words})"
    item = rf"([*?]|{value}(-{value})?)(/0?[1-9][0-9]{{0,2}})?"
    return f"{item}(,{item})*"


PATTERN = (
    "^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|"
    + " +".join(_field_pattern(lowest, highest, names) for _, lowest, highest, names in _FIELDS)
    + ")$"
)
SENTENCE = (
    "schedule is five cron fields such as */15 * * * * (minute 0-59, hour 0-23, day of month 1-31,"
    " month 1-12, day of week 0-6) or @hourly, @daily, @weekly, @monthly;"
    " a time zone goes into timeZone"
)
_SHAPE = re.compile(PATTERN.replace("$", r"\Z"))


def is_shaped(schedule: str) -> bool:
    """As much as the API server checks by PATTERN: fields and their ranges, not `5-2`."""
    return _SHAPE.match(schedule) is not None


def problem(schedule: str) -> str | None:
    """What is wrong with a schedule, as a sentence; None when the CronJob controller takes it.

    The grammar is that of robfig/cron's ParseStandard, without the TZ= prefix, which the API
    server refuses, and without @every, which is no time of day.
    """
    if len(schedule.split()) != len(_FIELDS):
        return None if is_shaped(schedule) else SENTENCE
    for text, (field, lowest, highest, names) in zip(schedule.split(), _FIELDS, strict=True):
        for item in text.split(","):
            if not _valid(item, lowest, highest, names):
                return (
                    f"the {field} of a schedule takes {lowest} to {highest}, ranges such as"
                    f" {lowest}-{highest} and steps such as */2"
                )
    return None if is_shaped(schedule) else SENTENCE


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
