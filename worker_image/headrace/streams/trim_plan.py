"""What a safe trim would remove, and which groups keep the rest: counted, nothing is changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from headrace.streams.backlog import GroupBacklog
from headrace.streams.ids import ZERO, StreamId, format_id, parse_id
from headrace.streams.script import Argument, Script

_SCRIPT = Script("count_below", read_only=True)
_SLICE = 100


@dataclass(frozen=True, slots=True)
class Keeper:
    """A group that needs `entries` of those beyond the limit; `floor`: the lowest id it needs."""

    group: str
    floor: str
    entries: int


@dataclass(frozen=True, slots=True)
class TrimPlan:
    """`removable`: what would go. `keepers`: the groups that keep entries beyond the limit, the one
    that keeps most first."""

    removable: int
    keepers: list[Keeper]


async def plan_trim(
    client: Redis,
    stream: str,
    groups: Mapping[str, GroupBacklog],
    beyond: int,
    show: Callable[[int], None],
) -> TrimPlan:
    """What would go of the `beyond` oldest entries. `show` gets the count so far. Raises redis
    errors."""
    floors = sorted((_floor(group), name) for name, group in groups.items())
    removable, keepers, counted, at = None, list[Keeper](), 0, "-"
    for floor, name in floors:
        more = floor > ZERO and counted < beyond
        while more:
            args: list[Argument] = [at, format_id(floor), min(_SLICE, beyond - counted)]
            found, at_, more = await _SCRIPT.run(client, [stream], args)
            counted, at = counted + found, at_.decode()
            show(counted)
            more = more and counted < beyond
        removable = counted if removable is None else removable
        if counted < beyond:
            keepers.append(Keeper(name, format_id(floor), beyond - counted))
    return TrimPlan(removable or 0, keepers)


def _floor(group: GroupBacklog) -> StreamId:
    """Ahead of its stream, it has read nothing: as the trim itself has it."""
    if group.floor_id is None or group.ahead_of_stream:
        return ZERO
    return parse_id(group.floor_id)
