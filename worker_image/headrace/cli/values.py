"""Bytes and times of Redis as text and JSON."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta


def text_of(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def value_of(value: bytes) -> object:
    """Text, or {"base64": ...} for bytes that are none."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def time_of(ms: int) -> str | None:
    """A server's milliseconds as ISO 8601 in UTC; None for 0 and for what no calendar has."""
    if not ms:
        return None
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def ms_of(text: str | None) -> int:
    """The milliseconds of a time that `time_of` wrote; 0 for None."""
    if text is None:
        return 0
    return milliseconds(datetime.fromisoformat(text))


def milliseconds(moment: datetime) -> int:
    """Since the epoch, as the server counts them."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
