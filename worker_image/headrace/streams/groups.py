"""Consumer groups: created and recreated by one function, for operator, worker and commands."""

from contextlib import suppress
from dataclasses import dataclass

from redis.asyncio import Redis

from headrace.streams.keys import GroupKeys, StreamKeys, UnusableName
from headrace.streams.script import Script, call

_ENSURE = Script("ensure_groups")
_RELEASE = Script("release")
_DESTROY = Script("destroy_group")


class OwnedByAnother(Exception):
    """The group belongs to another pipeline.

    `.owner` as `<namespace>/<pipeline>/<uid>`; `.cluster`: the uid of its cluster, "" if not known.
    """

    def __init__(self, keys: GroupKeys, owner: str, cluster: str = "") -> None:
        super().__init__(
            f"consumer group {keys.group!r} of stream {keys.stream!r} belongs to pipeline {owner};"
            " give this pipeline another consumerGroup, or delete the other pipeline; if that is"
            f" gone, free the group: headrace release {keys.stream} {keys.group}"
        )
        self.owner = owner
        self.cluster = cluster


class Deposed(Exception):
    """A newer leader has written to this group: this process must not write any more."""


class NotAStream(Exception):
    """The key that should be a stream holds something else."""

    def __init__(self, key: str, kind: str) -> None:
        super().__init__(
            f"key {key!r} holds a {kind}, not a stream; rename it, or name another stream"
        )


@dataclass(frozen=True, slots=True)
class Leader:
    """Who writes for an operator: the uid of its Lease, and how often that changed hands."""

    lease: str
    number: int

    def __str__(self) -> str:
        return f"{self.lease}/{self.number}"


@dataclass(frozen=True, slots=True)
class Holder:
    """The claim on a group as it stands in Redis; `cluster` is "" where nobody wrote it."""

    owner: str
    cluster: str


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
    cluster: str = "",
    leader: Leader | None = None,
    former_owner: str | None = None,
    checkpoint: str | None = None,
) -> GroupState:
    """Create what is missing of the group on the stream and on its replay stream, atomically.

    A missing group starts at the checkpoint kept in Redis, else just below `checkpoint` (the floor
    id, "<ms>-<seq>", that a status remembers), else at `start`: "0", "$" or an id. One that stands
    ahead of its stream goes back to where it would have been created. With `owner` (of `cluster`),
    claims the group for it first; `former_owner` loses it. `leader`: the operator that writes.
    Tells `keys` which life of the group its marks are of. Raises OwnedByAnother, Deposed,
    NotAStream, redis errors.
    """
    kind, *rest = await _ENSURE.run(
        client,
        [keys.stream, keys.replay, keys.state],
        [
            *(keys.group, start, owner or "", checkpoint or ""),
            *(cluster, str(leader or ""), former_owner or ""),
        ],
    )
    if kind == b"owned":
        raise OwnedByAnother(keys, *(part.decode("utf-8", "replace") for part in rest))
    if kind == b"deposed":
        raise Deposed("a newer leader has written to the consumer group")
    if kind == b"type":
        raise NotAStream(rest[0].decode(), rest[1].decode())
    created, recreated, kept, delivered, ahead, zeroed, stood, life = rest
    keys.life.begin(life.decode())
    return GroupState(
        created=bool(created),
        recreated=bool(recreated),
        checkpoint=kept.decode(),
        last_delivered_id=delivered.decode(),
        ahead_of_stream=bool(ahead),
        restarted_at_zero=bool(zeroed),
        stood_ahead_at=stood.decode() or None,
    )


async def group_names(client: Redis, stream: str) -> list[str]:
    """The consumer groups of a stream that is there. Raises redis errors."""
    rows = await call(client, ("XINFO", "GROUPS", stream))
    return [dict(zip(row[::2], row[1::2], strict=True))[b"name"].decode() for row in rows]


async def holder_of(client: Redis, keys: GroupKeys) -> Holder | None:
    """Who has claimed the group; None if nobody."""
    owner, cluster = await call(client, ("HMGET", keys.state, "owner", "cluster"))
    if owner is None:
        return None
    return Holder(owner.decode("utf-8", "replace"), (cluster or b"").decode("utf-8", "replace"))


async def claimed_by(client: Redis, stream: str, owner: str) -> list[GroupKeys]:
    """The groups of the stream that `owner` has claimed, whether or not anything else names them;
    none where there is no such stream. Raises redis errors."""
    if await call(client, ("TYPE", stream)) != b"stream":
        return []
    found = []
    for name in await group_names(client, stream):
        with suppress(UnusableName):
            keys = StreamKeys(stream).for_group(name)
            holder = await holder_of(client, keys)
            if holder is not None and holder.owner == owner:
                found.append(keys)
    return found


async def release(
    client: Redis, keys: GroupKeys, owner: str, *, leader: Leader | None = None
) -> bool:
    """Give up the claim on the group, if `owner` holds it; its data stays. Raises Deposed."""
    return _done(await _RELEASE.run(client, [keys.state], [owner, str(leader or "")]))


def _done(reply: int) -> bool:
    if reply < 0:
        raise Deposed("a newer leader has written to the consumer group")
    return bool(reply)


async def destroy_group(
    client: Redis, keys: GroupKeys, owner: str, *, leader: Leader | None = None
) -> bool:
    """Drop the group and every per-group key; never the stream, never dead letters.

    Marks stay until their window ends: they are of this life of the group, and a later group of its
    name looks for others. So nothing searches the keyspace. Answers False, and touches nothing,
    when the group has another owner. Raises Deposed.
    """
    per_group = [keys.replay, keys.state, keys.retry, keys.failures]
    return _done(
        await _DESTROY.run(
            client, [keys.stream, *per_group], [keys.group, owner, str(leader or "")]
        )
    )
