"""Dead letters: their layout, and list, replay and purge.

A letter holds what is known of the failure, then every original field, byte for byte, under
`f:<name>`; the fields beyond the first 3,000 stand in one, `packed_fields` (a msgpack list), for no
script can write more. A replay-stream entry holds `original_id` and the same fields: it rebuilds
exactly the event of the first life, and fails back into a letter that still names that life.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgpack
from redis.asyncio import Redis

from headrace.streams.keys import GroupKeys, StreamKeys, UnusableName
from headrace.streams.script import Command, Script, call
from headrace.streams.settlement import DeadLetter

_REPLAY = Script("replay")
_MAX_ERROR = 4_000
# How many letters are read at once: few at first, for nobody knows what they weigh.
FIRST_PAGE, MAX_PAGE, PAGE_BYTES = 4, 500, 4 << 20
_MAX_PAIRS = 3_000
_PACKED = b"packed_fields"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `fields` are the original's, flat and byte for byte; times in server ms."""

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


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay-stream entry carries: the id of its first life and its own fields, flat."""

    original_id: bytes
    fields: list[bytes]


def letter_fields(keys: GroupKeys, entry_id: bytes, outcome: DeadLetter) -> list[bytes | str]:
    """The flat fields of a letter but for what the commit script adds: `consumer`, `attempts`,
    `crashes`, `first_seen`, `dead_at`."""
    own = dict(zip(outcome.fields[::2], outcome.fields[1::2], strict=True))
    fields: list[bytes | str] = [
        *("original_id", outcome.original_id or entry_id),
        *("original_stream", keys.stream, "group", keys.group),
        *("type", own.get(b"type", b""), "version", own.get(b"version", b"")),
        *("error", outcome.error[:_MAX_ERROR], "error_type", outcome.error_type),
    ]
    return fields + _prefixed(outcome.fields)


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
        return int(value) if value.isdigit() else 0

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
    )


def read_replayed(fields: Sequence[bytes]) -> Replayed:
    """Unpack an entry of a replay stream (`original_id` and `f:<name>` fields)."""
    letter = read_letter(b"", fields)
    return Replayed(letter.original_id, letter.fields)


def _unpacked(value: bytes) -> list[bytes]:
    try:
        fields = msgpack.unpackb(value)
    except ValueError:
        return []
    return fields if isinstance(fields, list) and len(fields) % 2 == 0 else []


async def list_letters(
    client: Redis, keys: StreamKeys, *, before: bytes = b"+", count: int = 100
) -> list[Letter]:
    """Newest first, from `before` (exclusive unless "+")."""
    upper = before if before == b"+" else b"(" + before
    return await _range(client, ("XREVRANGE", keys.dead_letters, upper, "-", "COUNT", count))


async def pages(
    client: Redis, keys: StreamKeys, *, until: bytes = b"+"
) -> AsyncIterator[list[Letter]]:
    """All letters, oldest first, up to the id `until`; of a few MiB each, whatever they weigh."""
    after, count = b"-", FIRST_PAGE
    while True:
        command = ("XRANGE", keys.dead_letters, after, until, "COUNT", count)
        reply = await call(client, command)
        if not reply:
            return
        yield [read_letter(letter_id, flat) for letter_id, flat in reply]
        after = b"(" + reply[-1][0]
        weight = sum(len(part) for _, flat in reply for part in flat) // len(reply)
        count = max(1, min(MAX_PAGE, 2 * count, PAGE_BYTES // max(1, weight)))


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


async def replay(
    client: Redis,
    keys: StreamKeys,
    ids: Sequence[bytes],
    *,
    groups: Sequence[str] | None = None,
) -> dict[bytes, str]:
    """Send letters back to the group that failed them. `groups` are those that may get theirs; all
    that exist, if None. Returns id -> why not, for those left where they are."""
    refused: dict[bytes, str] = {}
    for letter_id in ids:
        letter = await get_letter(client, keys, letter_id)
        reason = (
            "there is no such dead letter"
            if letter is None
            else await replay_letter(client, keys, letter, groups=groups)
        )
        if reason:
            refused[letter_id] = reason
    return refused


async def replay_letter(
    client: Redis, keys: StreamKeys, letter: Letter, *, groups: Sequence[str] | None = None
) -> str:
    """Send one letter back, in one script that also takes it from the dead letters: a replay that
    is cut short, or sent again, loses and doubles nothing. Returns why not, else ""."""
    if letter.original_stream != keys.stream or (groups is not None and letter.group not in groups):
        return (
            f"group {letter.group!r} of stream {letter.original_stream!r} is not in the spec;"
            " add it, or purge the letter"
        )
    try:
        group = keys.for_group(letter.group)
    except UnusableName as error:
        return f"{error}; purge the letter"
    return await _replay_one(client, group, letter)


async def _replay_one(client: Redis, keys: GroupKeys, letter: Letter) -> str:
    fields = ("original_id", letter.original_id or letter.id, *_prefixed(letter.fields))
    reply = await _REPLAY.run(
        client, [keys.dead_letters, keys.replay], [letter.id, keys.group, *fields]
    )
    if isinstance(reply, bytes):
        return ""
    if reply[0] == b"error":
        return str(reply[1].decode("utf-8", "replace"))
    if reply[0] == b"gone":
        return "it was replayed or purged by somebody else"
    return f"group {keys.group!r} does not exist on the server yet; wait until its workers started"


async def purge(client: Redis, keys: StreamKeys, ids: Sequence[bytes]) -> int:
    """Delete letters for good; returns how many there were."""
    removed = 0
    for start in range(0, len(ids), 1_000):
        removed += await call(client, ("XDEL", keys.dead_letters, *ids[start : start + 1_000]))
    return removed
