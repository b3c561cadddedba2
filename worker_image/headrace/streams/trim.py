"""Trimming a stream without taking from a group what it still needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from redis.asyncio import Redis

from headrace.streams.script import Script

_SCRIPT = Script("trim")


class Policy(StrEnum):
    """SAFE never removes what a group still needs; FORCE does."""

    SAFE = "Safe"
    FORCE = "Force"


class Why(StrEnum):
    """Why entries beyond the limits were kept."""

    LIMITS_MET = ""
    FLOOR = "floor"
    """A group has not handled them yet."""
    GROUP_MISSING = "missing"
    """A group of the pipeline is not on the server; recreated, it would need what we cannot see."""
    NO_GROUP = "nogroup"
    """No group is there, or all are ignored: nothing says what was handled."""
    NO_CLOCK = "noclock"
    """maxAge needs ids that are milliseconds since 1970, and this stream has others."""


@dataclass(frozen=True, slots=True)
class TrimResult:
    """`removed` entries, `length` afterwards. `floor`: the lowest id still needed (None: no group,
    or Force). `held_back_by`: the group that keeps entries beyond the limits, or is missing.
    `reason`: a sentence for people, empty when the limits are met."""

    removed: int
    length: int
    floor: str | None
    why: Why
    held_back_by: str | None
    reason: str


async def trim(
    client: Redis,
    stream: str,
    groups: Sequence[str],
    *,
    policy: Policy = Policy.SAFE,
    max_length: int | None = None,
    max_age_ms: int | None = None,
    ignore_groups: Sequence[str] = (),
) -> TrimResult:
    """Trim in slices until the limits or the floor of all groups are reached.

    `groups` are the pipeline's own Redis groups: if one is missing, nothing is trimmed.
    `max_length` is exact; `max_age_ms` leaves up to a node (100 entries) more. Raises redis errors.
    """
    limits = ["" if limit is None else limit for limit in (max_length, max_age_ms)]
    args = [policy.value, *limits, len(groups), *groups, *ignore_groups]
    removed, more = 0, True
    while more:
        gone, length, floor, group, why, more = await _SCRIPT.run(client, [stream], args)
        removed += gone
    name = group.decode() or None
    stopped = Why(why.decode())
    return TrimResult(
        removed=removed,
        length=length,
        floor=floor.decode() or None,
        why=stopped,
        held_back_by=name,
        reason=_sentence(stopped, stream, name),
    )


def _sentence(why: Why, stream: str, group: str | None) -> str:
    if why is Why.FLOOR:
        return (
            f"group {group!r} still needs entries of stream {stream!r} beyond the limits;"
            " if it is not used any more, delete it or add it to trim.ignoreGroups"
        )
    if why is Why.GROUP_MISSING:
        return f"group {group!r} is not on the server yet, so nothing of {stream!r} was trimmed"
    if why is Why.NO_GROUP:
        return f"stream {stream!r} has no group whose progress counts, so nothing was trimmed"
    if why is Why.NO_CLOCK:
        return f"ids of stream {stream!r} are no clock: maxAge cannot act; use trim.maxLength"
    return ""
