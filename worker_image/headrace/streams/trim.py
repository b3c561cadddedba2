"""Trimming a stream without taking from a group what it still needs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from redis.asyncio import Redis

from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.groups import group_names
from headrace.streams.keys import StreamKeys
from headrace.streams.script import Script, call

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
class Destroyed:
    """Entries that Force took from a group: not read yet, and read but not settled."""

    group: str
    unread: int
    pending: int


@dataclass(frozen=True, slots=True)
class TrimResult:
    """`removed` entries, `length` afterwards. `floor`: the lowest id still needed by a group that
    is waited for. `held_back_by`: the group that keeps entries beyond the limits, or is missing.
    `reason`: a sentence for people, empty when the limits are met. `destroyed`: the group that lost
    most comes first."""

    removed: int
    length: int
    floor: str | None
    why: Why
    held_back_by: str | None
    reason: str
    destroyed: tuple[Destroyed, ...] = ()


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

    `groups` are the pipeline's own Redis groups: if one is missing, Safe trims nothing, and Force
    takes from these and from groups that nobody has claimed. `max_length` is exact; `max_age_ms`
    leaves up to a node (100 entries) more. Raises redis errors.
    """
    named = groups
    if policy is Policy.FORCE:
        named = await _groups_of_others(client, stream, groups)
    limits = ["" if limit is None else limit for limit in (max_length, max_age_ms)]
    args = [policy.value, *limits, len(named), *named, *ignore_groups]
    removed, more = 0, True
    unread, pending = Counter[str](), Counter[str]()
    while more:
        gone, length, floor, group, why, more, lost = await _SCRIPT.run(client, [stream], args)
        removed += gone
        for name, not_read, not_settled in lost:
            unread[name.decode()] += not_read
            pending[name.decode()] += not_settled
    name = group.decode() or None
    stopped = Why(why.decode())
    return TrimResult(
        removed=removed,
        length=length,
        floor=floor.decode() or None,
        why=stopped,
        held_back_by=name,
        reason=_sentence(stopped, stream, name),
        destroyed=tuple(
            Destroyed(name, unread[name], pending[name])
            for name, _ in (unread + pending).most_common()
        ),
    )


async def _groups_of_others(client: Redis, stream: str, own: Sequence[str]) -> list[str]:
    """Groups that another pipeline has claimed."""
    if not await call(client, ("EXISTS", stream)):
        return []
    names = await group_names(client, stream)
    (found,) = await read_backlogs(client, [(StreamKeys(stream), names)])
    ours = {found.groups[name].owner for name in own if name in found.groups}
    return [
        name
        for name, group in found.groups.items()
        if group.owner is not None and name not in own and group.owner not in ours
    ]


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
