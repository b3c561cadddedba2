"""Kubernetes' MicroTime: what Leases and Events are stamped with."""

from __future__ import annotations

from datetime import UTC, datetime


def micro_time() -> str:
    """Now, in RFC 3339 with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
