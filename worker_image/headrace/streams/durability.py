"""Whether a server can lose a stream by itself: what INFO says of disk, memory and replicas. Pure.

Facts: https://redis.io/docs/latest/commands/info/ (persistence, memory, replication).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from headrace.streams.info import Info

SECTIONS = ("persistence", "memory", "replication")
_WRITES = ("rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status")


class Danger(StrEnum):
    """The gravest first."""

    WRITE_FAILED = "WriteFailed"
    EVICTABLE = "Evictable"
    NOT_PERSISTENT = "NotPersistent"


@dataclass(frozen=True, slots=True)
class Risk:
    """How events may be lost, and what to do about it; no figure that moves."""

    danger: Danger
    found: str
    advice: str


def failed_write(info: Info) -> str | None:
    """Which write to disk failed last, by INFO's own name; None while all went well."""
    return next((name for name in _WRITES if info.get(name, "ok") != "ok"), None)


def evicts_streams(info: Info) -> bool:
    """Whether the server deletes keys that never expire, once memory is full."""
    return info.get("maxmemory_policy", "noeviction").startswith("allkeys-")


def stands_alone(info: Info) -> bool:
    """A server whose append-only file is all that a crash leaves."""
    return info.get("aof_enabled") == "1" and info.get("connected_slaves") == "0"


def risk_of(info: Info, fsync: str | None = None) -> Risk | None:
    """The gravest danger; None where the server keeps what it was given, or does not say.

    `fsync`: its setting appendfsync, None where this user may not ask.
    """
    if (name := failed_write(info)) is not None:
        found = f"Redis cannot write to its disk ({name})"
        return Risk(Danger.WRITE_FAILED, found, "see its log, and the disk's room")
    if evicts_streams(info) and info.get("maxmemory", "0") != "0":
        policy = info["maxmemory_policy"]
        found = f"maxmemory-policy {policy}: when memory is full, Redis deletes the stream"
        return Risk(Danger.EVICTABLE, found, "set noeviction")
    if info.get("aof_enabled") == "0" and info.get("connected_slaves") == "0":
        found = "appendonly no, and no replica: a crash of Redis loses events"
        return Risk(Danger.NOT_PERSISTENT, found, "set appendonly yes, or add a replica")
    if fsync == "no" and stands_alone(info):
        found = "appendfsync no, and no replica: a crash of its machine loses about 30 s of events"
        return Risk(Danger.NOT_PERSISTENT, found, "set appendfsync everysec, or add a replica")
    return None
