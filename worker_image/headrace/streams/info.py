"""The text of INFO, https://redis.io/docs/latest/commands/info/ Pure."""

from __future__ import annotations

from collections.abc import Mapping

Info = Mapping[str, str]
"""Sections of INFO, as name -> value."""


def info_of(text: str) -> Info:
    """What INFO answers, as name -> value."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
