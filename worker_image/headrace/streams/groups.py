"""Consumer groups: created and recreated by one function, for operator, worker and commands."""

from dataclasses import dataclass

from redis.asyncio import Redis

from headrace.streams.keys import GroupKeys
from headrace.streams.script import Argument, Script, call

_ENSURE = Script("ensure_groups")
_RELEASE = Script("release")
_DESTROY = Script("destroy_group")


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
    above the stream's last generated one, where `start` wants it; it reads nothing until that id is
    passed. `stood_ahead_at`: it was found ahead without anybody wanting it, and was set back to its
    checkpoint, or to 0.
    """

    created: bool
    recreated: bool
    start_id: str
    checkpoint: str
    last_delivered_id: str
    ahead_of_stream: bool
    restarted_at_zero: bool
    stood_ahead_at: str | None


async def ensure_groups(
    client: Redis,
    keys: GroupKeys,
    start: str = "0",
    *,
    owner: str | None = None,
    checkpoint: str | None = None,
) -> GroupState:
    """Create what is missing of the group on the stream and on its replay stream, atomically.

    A missing group starts at the checkpoint kept in Redis, else just below `checkpoint` (the floor
    id, "<ms>-<seq>", that a status remembers), else at `start`: "0", "$" or an id. One that stands
    ahead of its stream goes back to where it would have been created. With `owner`, claims the
    group for it first. Raises OwnedByAnother, NotAStream, redis errors.
    """
    kind, *rest = await _ENSURE.run(
        client,
        [keys.stream, keys.replay, keys.state],
        [keys.group, start, owner or "", checkpoint or ""],
    )
    if kind == b"owned":
        raise OwnedByAnother(keys, rest[0].decode())
    if kind == b"type":
        raise NotAStream(
            f"key {rest[0].decode()!r} holds a {rest[1].decode()}, not a stream;"
            " rename it, or name another stream"
        )
    created, recreated, start_id, kept, delivered, ahead, zeroed, stood = rest
    return GroupState(
        created=bool(created),
        recreated=bool(recreated),
        start_id=start_id.decode(),
        checkpoint=kept.decode(),
        last_delivered_id=delivered.decode(),
        ahead_of_stream=bool(ahead),
        restarted_at_zero=bool(zeroed),
        stood_ahead_at=stood.decode() or None,
    )


async def release(client: Redis, keys: GroupKeys, owner: str) -> bool:
    """Give up the claim on the group, if `owner` holds it; its data stays."""
    return bool(await _RELEASE.run(client, [keys.state], [owner]))


async def destroy_group(client: Redis, keys: GroupKeys, owner: str) -> bool:
    """Drop the group and every per-group key; never the stream, never dead letters.

    Answers False, and touches nothing, when the group has another owner.
    """
    per_group = [keys.replay, keys.state, keys.retry, keys.failures]
    if not await _DESTROY.run(client, [keys.stream, *per_group], [keys.group, owner]):
        return False
    # Marks left behind would swallow the events of a later group of this name.
    pattern = _glob_literal(keys.seen_prefix) + "*"
    cursor: Argument = 0
    while True:
        cursor, found = await call(client, ("SCAN", cursor, "MATCH", pattern, "COUNT", 1000))
        for key in found:
            await call(client, ("UNLINK", key))
        if not int(cursor):
            return True


def _glob_literal(text: str) -> str:
    return "".join(f"\\{char}" if char in "*?[]\\^-" else char for char in text)
