"""Log lines to standard error: JSON for machines, plain for people. Secrets never get here.

Fields given with `extra=` become members of the line; `ctx.logger` brings those of its entry.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from headrace_api.mounts import ENV_POD

ENV_FORMAT = "HEADRACE_LOG_FORMAT"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Readable(logging.Formatter):
    """An exception whose own words fail costs its traceback and not the line."""

    def formatException(self, ei: Any) -> str:
        try:
            return super().formatException(ei)
        except Exception:
            return f"{ei[0].__name__} (its traceback cannot be shown)"


class JsonLines(_Readable):
    """One object per line; `extra=` fields become members."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PlainLines(_Readable):
    """Time, level, logger, message, and `extra=` fields in brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        first, newline, traceback = super().format(record).partition("\n")
        extra = " ".join(f"{name}={value}" for name, value in _extra(record).items())
        return f"{first} [{extra}]{newline}{traceback}" if extra else first + newline + traceback


class Fields(logging.LoggerAdapter[logging.Logger]):
    """A logger whose lines carry these fields, beside those of the call's own `extra=`."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def configure(level: str | int, style: str) -> None:
    """Send every logger's lines to standard error; `style` is "json" or "plain"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else PlainLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def default_style() -> str:
    """HEADRACE_LOG_FORMAT, else JSON in a pod and plain lines elsewhere."""
    wanted = os.environ.get(ENV_FORMAT, "")
    if wanted in ("json", "plain"):
        return wanted
    return "json" if os.environ.get(ENV_POD) else "plain"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
