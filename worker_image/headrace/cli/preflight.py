"""What `headrace check` says of a server, from what the server tells of itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from headrace.cli.output import plural, size
from headrace.streams.durability import evicts_streams, failed_write
from headrace.streams.info import Info
from headrace.streams.rights import Right
from headrace.streams.server import FLOOR_ADVICE, Server

SHOWN_RIGHTS = 6
FULL = 0.9
CLOCK_SECONDS = 1.0
RIGHTS_PAGE = "docs/redis-user.md"


class Result(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was checked, what was found, and what to do about it."""

    check: str
    result: Result
    found: str
    advice: str = ""


def server_finding(server: Server) -> Finding:
    if not server.is_supported:
        return Finding("server", Result.FAILED, f"{server} is too old", FLOOR_ADVICE)
    note = "" if server.lag_is_exact else "; after a trim its lag can be too high (<= in backlog)"
    return Finding("server", Result.OK, f"{server}{note}")


def features_finding(server: Server) -> Finding:
    """What the newest servers have beyond the floor."""
    names = ", ".join(server.features)
    found = f"{names}; Headrace uses none of these yet" if names else "no newer stream commands"
    return Finding("features", Result.OK, found)


def persistence_finding(info: Info, fsync: str | None, save: str | None) -> Finding:
    """`fsync`, `save`: of CONFIG GET; None where this user may not ask."""
    if (name := failed_write(info)) is not None:
        found = f"Redis cannot write to its disk ({name})"
        return Finding("persistence", Result.FAILED, found, "see its log, and the disk's room")
    if info.get("aof_enabled") != "1":
        found = "appendonly no: a crash loses what came since the last snapshot"
        if save == "":
            found = "nothing is written to disk: a restart loses every event"
        return Finding("persistence", Result.WARNING, found, "set appendonly yes")
    if fsync == "no":
        found = "appendfsync no: a crash loses what the system had not yet written, about 30 s"
        return Finding("persistence", Result.WARNING, found, "set appendfsync everysec or always")
    known = f", appendfsync {fsync}" if fsync else ""
    loses = "; a crash loses up to a second" if fsync == "everysec" else ""
    return Finding("persistence", Result.OK, f"appendonly yes{known}{loses}")


def memory_finding(info: Info) -> Finding:
    limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    policy = info.get("maxmemory_policy", "noeviction")
    advice = "set maxmemory-policy noeviction"
    if evicts_streams(info):
        found = f"{policy}: when memory is full, Redis deletes the stream with its groups"
        return Finding("memory", Result.FAILED if limit else Result.WARNING, found, advice)
    if not limit:
        found = "no maxmemory: Redis grows until the system ends it"
        advice = f"set maxmemory below what the machine has; {policy} is right"
        if policy != "noeviction":
            advice = "set maxmemory below what the machine has, and maxmemory-policy noeviction"
        return Finding("memory", Result.WARNING, found, advice)
    if policy != "noeviction":
        found = f"{policy}: when memory is full, marks of deduplication are deleted"
        return Finding("memory", Result.WARNING, found, advice)
    found = f"{size(used)} of {size(limit)} used, {policy}"
    if used > FULL * limit:
        advice = "Redis refuses events when it is full: trim the stream, or raise maxmemory"
        return Finding("memory", Result.WARNING, found, advice)
    return Finding("memory", Result.OK, found)


def replicas_finding(info: Info) -> Finding:
    role, count = info.get("role", "master"), int(info.get("connected_slaves", 0))
    if role != "master":
        primary = f"{info.get('master_host', 'its primary')}:{info.get('master_port', '')}"
        advice = f"give the address of the primary, {primary}"
        return Finding("replicas", Result.FAILED, "this is a replica: it takes no events", advice)
    if not count:
        advice = "add a replica, and set min-replicas-to-write 1"
        return Finding("replicas", Result.WARNING, "none: this server's disk is all", advice)
    return Finding("replicas", Result.OK, f"a primary with {plural(count, 'replica')}")


def clock_finding(ahead: float) -> Finding:
    """`ahead`: seconds that this machine's clock is ahead of Redis's."""
    if abs(ahead) <= CLOCK_SECONDS:
        return Finding("clock", Result.OK, "this machine and Redis agree within a second")
    word = "ahead of" if ahead > 0 else "behind"
    found = f"this machine is {abs(ahead):.1f} s {word} Redis"
    advice = "ids and retries go by Redis's clock: set both by NTP"
    return Finding("clock", Result.WARNING, found, advice)


def rights_finding(missing: Sequence[Right]) -> Finding:
    needed = [one for one in missing if not one.only_helps]
    if not missing:
        return Finding("rights", Result.OK, "this user may do all that a pipeline needs")
    advice = f"grant them as in {RIGHTS_PAGE}"
    if needed:
        return Finding("rights", Result.FAILED, f"this user may not {_named(needed)}", advice)
    found = f"this user may not {_named(missing)}; Headrace does without"
    return Finding("rights", Result.WARNING, found, advice)


def _named(rights: Sequence[Right]) -> str:
    """`xadd and xlen on flights, hget on ...`."""
    names: dict[str, list[str]] = {}
    missing = list(dict.fromkeys((one.key, one.name) for one in rights))
    for key, name in missing[:SHOWN_RIGHTS]:
        names.setdefault(key, []).append(name)
    parts = [" ".join(those) + (f" on {key}" if key else "") for key, those in names.items()]
    more = len(missing) - SHOWN_RIGHTS
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")
