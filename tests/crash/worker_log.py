"""What a worker's log says of its own defects. Pure.

Handlers fail on purpose, and their tracebacks are no defect: those of a part of the worker are
logged as critical, those of a forgotten task by asyncio, and those that nobody caught are no JSON.
An error of a script is answered as Redis's other errors are, and known by its words.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import Any

UNCAUGHT = "Traceback (most recent call last)"
# What Lua says of a script that is wrong. A command that is refused reads otherwise.
LUA_SLIP = re.compile(
    r"nonexistent global variable|attempt to (call|index|compare|concatenate|get length|perform)"
)


def first_defect(log: str) -> str | None:
    """The first defect in a worker's log: what was said and, at the end, what was raised."""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        said = _parsed(line)
        if said is None:
            if UNCAUGHT in line:
                rest = takewhile(lambda one: _parsed(one) is None, lines[number + 1 :])
                return f"died of {_raised(list(rest))}"
        elif said.get("level") == "critical" or said.get("logger") == "asyncio":
            raised = str(said.get("exception", "")).splitlines()
            return f"{said.get('message')}: {_raised(raised)}"
        elif LUA_SLIP.search(message := str(said.get("message"))):
            return message
    return None


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _raised(traceback: list[str]) -> str:
    """The last lines of a traceback, which tell what was raised and where."""
    return " | ".join(line.strip() for line in traceback[-4:])
