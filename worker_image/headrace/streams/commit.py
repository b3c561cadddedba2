"""The commit: what a worker decided about its entries, written by one script per flush.

    committer = Committer(keys, consumer, dead_letter_max_length=100_000)
    refused = await committer.commit(control, acks, settlements)

Everything that is not in `refused` is done. `acks` is the hot path: ids of main-stream entries that
were delivered once (delivery count 1) and ended without outputs, mark or record. All else is a
Settlement. For one write with the next read: `pack()`, send `packed.command()` yourself, and hand
the reply to `packed.read(reply)`; on NOSCRIPT give the same packed object to `send()`.

A packed commit may be sent again after a lost reply: its flush number makes the second one answer
as the first did, and do nothing. One commit of a consumer may be under way at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

from redis.asyncio import Redis

from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.script import Command


@dataclass(frozen=True, slots=True)
class Output:
    """An entry to append to a stream in the same slot. `fields` is flat; `max_length` trims ~."""

    stream: str
    fields: Sequence[bytes]
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """The event's deduplication id and how long it is remembered.

    `original_id`: for a replayed entry, the id of its first life, whose own mark it ignores.
    """

    event_id: str
    window_ms: int
    original_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """Handled (or skipped: then without a mark)."""


@dataclass(frozen=True, slots=True)
class Park:
    """Try again `delay_ms` from now. `failure` False: the attempt does not count as failed."""

    delay_ms: int
    error: str = ""
    failure: bool = True


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up. `fields` are the entry's own, flat; the script adds counts and times."""

    fields: Sequence[bytes]
    error: str
    error_type: str
    original_id: bytes | None = None


Outcome: TypeAlias = Ack | Park | DeadLetter


@dataclass(frozen=True, slots=True)
class Settlement:
    """One entry's end. `fenced` False only for what `claim.renew` reported trimmed while ours."""

    source: Source
    id: bytes
    delivery_count: int
    outcome: Outcome
    outputs: Sequence[Output] = ()
    mark: Mark | None = None
    fenced: bool = True


class VerdictKind(IntEnum):
    """Why an entry was not settled as asked."""

    OWNED_BY_ANOTHER = 1
    """Another consumer, or a later delivery to this one, has it. Discard the result."""
    GONE = 2
    """In no pending list: somebody settled it. Discard the result."""
    DUPLICATE = 3
    """Another entry with this event id was handled first: acknowledged, outputs dropped."""
    FAILED = 4
    """Nothing was written for it (see reason: memory, permission, type); still pending, ours."""
    TRIMMED = 5
    """To be parked, but its body was trimmed away: no longer pending, nobody can try it again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: VerdictKind
    reason: str = ""


Refused: TypeAlias = dict[tuple[Source, bytes], Verdict]


class Packed:
    """One call of the commit script, of at most 1,000 entries and 1 MiB; may be sent again."""

    def command(self) -> Command:
        """EVALSHA with its arguments, for Connection.pack_commands."""
        raise NotImplementedError

    def read(self, reply: Any) -> Refused:
        """The verdicts in the script's reply."""
        raise NotImplementedError


class Committer:
    """Numbers and packs the flushes of one consumer of one group."""

    def __init__(self, keys: GroupKeys, consumer: str, *, dead_letter_max_length: int) -> None:
        raise NotImplementedError

    def pack(
        self, acks: Sequence[bytes] = (), settlements: Sequence[Settlement] = ()
    ) -> list[Packed]:
        """Pack one flush into as few calls as the bounds allow; they are sent in this order."""
        raise NotImplementedError

    async def send(self, client: Redis, packed: Sequence[Packed]) -> Refused:
        """Send packed calls one after the other. After a lost connection, send the same again."""
        raise NotImplementedError

    async def commit(
        self, client: Redis, acks: Sequence[bytes] = (), settlements: Sequence[Settlement] = ()
    ) -> Refused:
        """pack() and send(), for callers that need no re-sending."""
        return await self.send(client, self.pack(acks, settlements))
