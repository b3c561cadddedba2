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
from dataclasses import dataclass, field
from typing import Any, ClassVar

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.packing import arguments, number_of, renumber, size_of
from headrace.streams.script import Argument, Command, Script
from headrace.streams.settlement import Settlement, Verdict, VerdictKind, Verdicts

MAX_ENTRIES = 1_000
MAX_BYTES = 1 << 20

_SCRIPT = Script("commit")
_NOTHING: Verdicts = {}


@dataclass(slots=True)
class Packed:
    """One call of the commit script, of at most 1,000 entries and 1 MiB; may be sent again.

    `answer` is kept once it came, so that a list sent again starts where it broke off.
    """

    source: Source
    keys: list[Argument]
    args: list[Argument]
    acks: Sequence[bytes] = ()
    settlements: Sequence[Settlement] = ()
    answer: Verdicts | None = field(default=None, init=False)
    instead: list["Packed"] | None = field(default=None, init=False)
    rides: ClassVar[bool] = True
    """It is one call, which may be sent in front of a read."""

    @property
    def number(self) -> int:
        """Its flush number."""
        return number_of(self.args)

    def command(self) -> Command:
        """EVALSHA with its arguments, for Connection.pack_commands."""
        return _SCRIPT.command(self.keys, self.args)

    def command_with_text(self) -> Command:
        """EVAL with the same arguments, the answer to NOSCRIPT."""
        return _SCRIPT.command_with_text(self.keys, self.args)

    def read(self, reply: Any) -> Verdicts:
        """The verdicts in the script's reply."""
        if not reply:
            self.answer = _NOTHING
            return _NOTHING
        triples = zip(reply[::3], reply[1::3], reply[2::3], strict=True)
        self.answer = {
            (self.source, entry_id): Verdict(VerdictKind(kind), reason.decode("utf-8", "replace"))
            for entry_id, kind, reason in triples
        }
        return self.answer


class Committer:
    """Numbers and packs the flushes of one consumer of one group."""

    def __init__(self, keys: GroupKeys, consumer: str, *, dead_letter_max_length: int) -> None:
        self._keys = keys
        self.consumer = consumer
        self._dead_letter_max_length = dead_letter_max_length
        self._number = 0

    def pack(
        self, acks: Sequence[bytes] = (), settlements: Sequence[Settlement] = ()
    ) -> list[Packed]:
        """Pack one flush into as few calls as the bounds allow; they are sent in this order."""
        replayed = [s for s in settlements if s.source is not Source.MAIN]
        if not replayed:
            return self._pack(Source.MAIN, acks, settlements)
        main = [s for s in settlements if s.source is Source.MAIN]
        return self._pack(Source.MAIN, acks, main) + self._pack(Source.REPLAY, (), replayed)

    def _pack(
        self, source: Source, acks: Sequence[bytes], settlements: Sequence[Settlement]
    ) -> list[Packed]:
        calls = []
        while acks or settlements:
            now, acks = acks[:MAX_ENTRIES], acks[MAX_ENTRIES:]
            taken = settlements[: MAX_ENTRIES - len(now)]
            call = self._pack_one(source, now, taken)
            while len(taken) > 1 and (size := size_of(call.args)) > MAX_BYTES:
                taken = taken[: max(1, len(taken) * MAX_BYTES // size)]
                self._number -= 1
                call = self._pack_one(source, now, taken)
            settlements = settlements[len(taken) :]
            calls.append(call)
        return calls

    async def send(self, client: Redis, packed: Sequence[Packed]) -> Verdicts:
        """Send packed calls one after the other. After a lost connection, send the same again."""
        refused: Verdicts = {}
        for at, call in enumerate(packed):
            if call.answer is None:
                call.answer = await self._send_one(client, call)
                if call.instead is not None:
                    # Its parts got newer numbers: a lower one counts as applied before.
                    for later in packed[at + 1 :]:
                        self._number += 1
                        renumber(later.args, self._number)
            refused |= call.answer
        return refused

    async def commit(
        self, client: Redis, acks: Sequence[bytes] = (), settlements: Sequence[Settlement] = ()
    ) -> Verdicts:
        """pack() and send(), for callers that need no re-sending."""
        return await self.send(client, self.pack(acks, settlements))

    async def _send_one(self, client: Redis, call: Packed) -> Verdicts:
        if call.instead is None:
            try:
                return call.read(await _SCRIPT.run(client, call.keys, call.args))
            except NoPermissionError as error:
                if not call.settlements:
                    raise
                if len(call.settlements) == 1 and not call.acks:
                    only = call.settlements[0]
                    return {(only.source, only.id): Verdict(VerdictKind.FAILED, f"NOPERM {error}")}
                # One key that may not be touched must not stop the others from settling.
                call.instead = [
                    *([self._pack_one(call.source, call.acks, ())] if call.acks else []),
                    *(self._pack_one(call.source, (), (s,)) for s in call.settlements),
                ]
        return await self.send(client, call.instead)

    def _pack_one(
        self, source: Source, acks: Sequence[bytes], settlements: Sequence[Settlement]
    ) -> Packed:
        self._number += 1
        keys, args = arguments(
            self._keys,
            source,
            acks,
            settlements,
            consumer=self.consumer,
            number=self._number,
            dead_letter_max_length=self._dead_letter_max_length,
        )
        return Packed(source, keys, args, acks, settlements)
