"""Dead letters: their layout, and how they are read and deleted.

A letter holds what is known of the failure, then every original field, byte for byte, under
`f:<name>`; the fields beyond the first 3,000 stand in one, `packed_fields` (a msgpack list), for no
script can write more. A replay-stream entry holds `original_id`, `replays` and the same fields: it
rebuilds exactly the event of the first life, and if that fails again, the new letter still names
that life and how often it was replayed.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgpack
from redis.asyncio import Redis

from headrace.streams.entry_pages import entry_pages
from headrace.streams.keys import GroupKeys, StreamKeys
from headrace.streams.script import Argument, Command, call
from headrace.streams.settlement import DeadLetter

_MAX_PAIRS = 3_000
_MAX_DIGITS = 18
_PACKED = b"packed_fields"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `fields` are the original's, flat and byte for byte; times in server ms.

    `replays`: how often the event had been sent back before it failed into this letter.
    """

    id: bytes
    original_id: bytes
    original_stream: str
    group: str
    type: str
    version: str
    error: str
    error_type: str
    attempts: int
    crashes: int
    consumer: str
    first_seen_ms: int
    dead_at_ms: int
    fields: list[bytes]
    replays: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay-stream entry carries: the id of its first life and its own fields, flat."""

    original_id: bytes
    fields: list[bytes]
    replays: int = 0


def letter_fields(keys: GroupKeys, entry_id: bytes, outcome: DeadLetter) -> list[bytes | str]:
    """The flat fields of a letter but for what the commit script adds: `consumer`, `attempts`,
    `crashes`, `first_seen`, `dead_at`."""
    own = dict(zip(outcome.fields[::2], outcome.fields[1::2], strict=True))
    fields: list[bytes | str] = [
        *("original_id", outcome.original_id or entry_id),
        *("original_stream", keys.stream, "group", keys.group),
        *("type", own.get(b"type", b""), "version", own.get(b"version", b"")),
        *("error", outcome.error, "error_type", outcome.error_type),
    ]
    if outcome.replays:
        fields += ("replays", str(outcome.replays))
    return fields + _prefixed(outcome.fields)


def replay_fields(letter: Letter) -> list[Argument]:
    """The flat fields of the replay entry that a letter becomes."""
    original_id = letter.original_id or letter.id
    replays = str(letter.replays + 1)
    return ["original_id", original_id, "replays", replays, *_prefixed(letter.fields)]


def stored_fields(letter: Letter) -> list[Argument]:
    """The flat fields of a letter as the commit script writes them, to put one back."""
    own: list[Argument] = [
        *("original_id", letter.original_id, "original_stream", letter.original_stream),
        *("group", letter.group, "type", letter.type, "version", letter.version),
        *("error", letter.error, "error_type", letter.error_type),
        *("consumer", letter.consumer, "attempts", letter.attempts, "crashes", letter.crashes),
        *("first_seen", letter.first_seen_ms, "dead_at", letter.dead_at_ms),
    ]
    if letter.replays:
        own += ("replays", letter.replays)
    return own + list(_prefixed(letter.fields))


def _prefixed(fields: Sequence[bytes]) -> list[bytes | str]:
    flat: list[bytes | str] = []
    most = 2 * _MAX_PAIRS
    for name, value in zip(fields[:most:2], fields[1:most:2], strict=True):
        flat += (b"f:" + name, value)
    if len(fields) > most:
        flat += (_PACKED, msgpack.packb(fields[most:]))
    return flat


def read_letter(letter_id: bytes, flat: Sequence[bytes]) -> Letter:
    """Parse a letter. Missing or odd parts read as empty: a stream named by the user may hold
    what others wrote."""
    known: dict[bytes, bytes] = {}
    fields: list[bytes] = []
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        if name.startswith(b"f:"):
            fields += (name[2:], value)
        elif name == _PACKED:
            fields += _unpacked(value)
        else:
            known[name] = value

    def text(name: bytes) -> str:
        return known.get(name, b"").decode("utf-8", "replace")

    def number(name: bytes) -> int:
        value = known.get(name, b"")
        return int(value) if value.isdigit() and len(value) <= _MAX_DIGITS else 0

    return Letter(
        id=letter_id,
        original_id=known.get(b"original_id", b""),
        original_stream=text(b"original_stream"),
        group=text(b"group"),
        type=text(b"type"),
        version=text(b"version"),
        error=text(b"error"),
        error_type=text(b"error_type"),
        attempts=number(b"attempts"),
        crashes=number(b"crashes"),
        consumer=text(b"consumer"),
        first_seen_ms=number(b"first_seen"),
        dead_at_ms=number(b"dead_at"),
        fields=fields,
        replays=number(b"replays"),
    )


def read_replayed(fields: Sequence[bytes]) -> Replayed:
    """Unpack an entry of a replay stream (`original_id` and `f:<name>` fields)."""
    letter = read_letter(b"", fields)
    return Replayed(letter.original_id, letter.fields, letter.replays)


def _unpacked(value: bytes) -> list[bytes]:
    try:
        fields = msgpack.unpackb(value)
    except ValueError:
        return []
    whole = isinstance(fields, list) and all(isinstance(one, bytes) for one in fields)
    return fields if whole and len(fields) % 2 == 0 else []


async def list_letters(
    client: Redis, keys: StreamKeys, *, before: bytes = b"+", count: int = 100
) -> list[Letter]:
    """Newest first, from `before` (exclusive unless "+")."""
    upper = before if before == b"+" else b"(" + before
    return await _range(client, ("XREVRANGE", keys.dead_letters, upper, "-", "COUNT", count))


async def pages(
    client: Redis, keys: StreamKeys, *, since: bytes = b"-", until: bytes = b"+"
) -> AsyncIterator[list[Letter]]:
    """The letters from `since` to `until`, oldest first, in pages of a few MiB at most."""
    async for page in entry_pages(client, keys.dead_letters, since=since, until=until):
        yield [read_letter(letter_id, flat) for letter_id, flat in page]


async def last_id(client: Redis, keys: StreamKeys) -> bytes | None:
    """The newest letter's id; None when there is none."""
    newest = await list_letters(client, keys, count=1)
    return newest[0].id if newest else None


async def get_letter(client: Redis, keys: StreamKeys, letter_id: bytes) -> Letter | None:
    """One letter, or None when there is none with this id."""
    found = await _range(client, ("XRANGE", keys.dead_letters, letter_id, letter_id))
    return found[0] if found else None


async def _range(client: Redis, command: Command) -> list[Letter]:
    reply = await call(client, command)
    return [read_letter(letter_id, flat) for letter_id, flat in reply]


async def purge(client: Redis, keys: StreamKeys, ids: Sequence[bytes]) -> int:
    """Delete letters for good; returns how many there were."""
    removed = 0
    for start in range(0, len(ids), 1_000):
        removed += await call(client, ("XDEL", keys.dead_letters, *ids[start : start + 1_000]))
    return removed
