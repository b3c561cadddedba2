"""Consumer groups: created and recreated by one function, for operator, worker and commands."""

from dataclasses import dataclass

from redis.asyncio import Redis

from headrace.streams.keys import GroupKeys


class OwnedByAnother(Exception):
    """The group belongs to another pipeline (`.owner`, as `<namespace>/<pipeline>/<uid>`)."""

    def __init__(self, keys: GroupKeys, owner: str) -> None:
        super().__init__(
            f"consumer group {keys.group!r} of stream {keys.stream!r} belongs to pipeline {owner};"
            " give this pipeline another consumerGroup, or delete the other pipeline"
        )
        self.owner = owner


class NotAStream(Exception):
    """The key that should be a stream holds something else."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """What ensure_groups found or made.

    `recreated`: the group had existed and was lost; it restarted at its checkpoint, so entries may
    come twice but none is skipped. `restarted_at_zero`: its checkpoint lay above the stream, which
    must have been replaced, so it starts at 0. `ahead_of_stream`: the group's last delivered id is
    above the stream's last generated one; it reads nothing until that id is passed.
    """

    created: bool
    recreated: bool
    start_id: str
    checkpoint: str
    last_delivered_id: str
    ahead_of_stream: bool
    restarted_at_zero: bool


async def ensure_groups(
    client: Redis,
    keys: GroupKeys,
    start: str = "0",
    *,
    owner: str | None = None,
    checkpoint: str | None = None,
) -> GroupState:
    """Create what is missing of the group on the stream and on its replay stream, atomically.

    A missing group starts at the checkpoint kept in Redis, else at `checkpoint` (the mirror of it
    that a status or a running worker remembers), else at `start`: "0", "$" or an id. With `owner`,
    claims the group for it first. Raises OwnedByAnother, NotAStream, redis errors.
    """
    raise NotImplementedError


async def release(client: Redis, keys: GroupKeys, owner: str) -> bool:
    """Give up the claim on the group, if `owner` holds it; its data stays."""
    raise NotImplementedError


async def destroy_group(client: Redis, keys: GroupKeys, owner: str) -> bool:
    """Drop the group and every per-group key; never the stream, never dead letters.

    Answers False, and touches nothing, when the group has another owner.
    """
    raise NotImplementedError
