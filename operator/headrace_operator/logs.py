"""Log lines of the operator: the worker's formats, and a quieter kopf."""

from __future__ import annotations

import logging

from headrace import logs


def configure(level: str, style: str) -> None:
    logs.configure(level, style)
    if level != "DEBUG":
        # kopf says for every object and event that its handler was called.
        logging.getLogger("kopf").setLevel(logging.WARNING)
