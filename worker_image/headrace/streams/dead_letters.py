"""Dead letters: their layout, and list, replay and purge."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from headrace.streams.keys import StreamKeys


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `fields` are the original's, flat and byte for byte."""

    id: bytes
    original_id: bytes
    original_stream: str
    group: str
    error: str
    error_type: str
    attempts: int
    crashes: int
    consumer: str
    first_seen_ms: int
    dead_at_ms: int
    fields: list[bytes]
    type: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay-stream entry carries: the id of its first life and its own fields, flat."""

    original_id: bytes
    fields: list[bytes]


def read_replayed(fields: Sequence[bytes]) -> Replayed:
    """Unpack an entry of a replay stream (`original_id` and `f:<name>` fields)."""
    raise NotImplementedError


async def list_letters(
    client: Redis, keys: StreamKeys, *, before: bytes = b"+", count: int = 100
) -> list[Letter]:
    """Newest first, from `before` (exclusive unless "+")."""
    raise NotImplementedError


async def replay(
    client: Redis, keys: StreamKeys, ids: Sequence[bytes], *, groups: Sequence[str]
) -> dict[bytes, str]:
    """Send letters back to the group that failed them; each leaves the dead letters in the same
    script. `groups` are those of the spec. Returns id -> why not, for those left where they are."""
    raise NotImplementedError


async def purge(client: Redis, keys: StreamKeys, ids: Sequence[bytes]) -> int:
    """Delete letters for good; returns how many there were."""
    raise NotImplementedError
