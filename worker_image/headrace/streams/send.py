"""A producer's batch as one script call that may be sent again. Pure.

The script remembers the producer's last batch beside the stream, so a second call with the same
number answers as the first did, and adds nothing. It works on every supported server; Redis 8.6's
XADD IDMP would do the same per entry, but remembers 100 of a producer unless the stream is told.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.streams.keys import StreamKeys
from headrace.streams.script import Argument, Command, Script

_SCRIPT = Script("send")
MAX_BYTES = 1 << 20
REMEMBERED_MS = 3_600_000
"""How long a producer that falls silent in mid-batch is remembered."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One call: `fields` of each entry, flat."""

    keys: list[Argument]
    args: list[Argument]

    @property
    def command(self) -> Command:
        return _SCRIPT.command(self.keys, self.args)

    @property
    def command_with_text(self) -> Command:
        """The answer to NOSCRIPT."""
        return _SCRIPT.command_with_text(self.keys, self.args)


def sent_key(stream: str, producer: str) -> str:
    """Where a producer's last batch is remembered, in the stream's slot."""
    tag = StreamKeys(stream).tag
    return f"headrace:{{{tag}}}:sent:{producer}:{stream}"


def pack(
    stream: str,
    producer: str,
    number: int,
    entries: Sequence[Sequence[bytes]],
    max_length: int | None,
) -> Batch:
    """Batch `number` of this producer."""
    limit = "" if max_length is None else max_length
    args: list[Argument] = [number, REMEMBERED_MS, limit, len(entries)]
    for fields in entries:
        args += [len(fields), *fields]
    return Batch([stream, sent_key(stream, producer)], args)


def chunks(entries: Iterable[list[bytes]], most: int) -> Iterator[list[list[bytes]]]:
    """Split by count and by bytes; an entry larger than a chunk has one of its own."""
    chunk: list[list[bytes]] = []
    room = MAX_BYTES
    for fields in entries:
        size = sum(len(part) + 12 for part in fields)
        if chunk and (len(chunk) >= most or room < size):
            yield chunk
            chunk, room = [], MAX_BYTES
        chunk.append(fields)
        room -= size
    if chunk:
        yield chunk


def entry_ids(reply: list[Any]) -> list[str]:
    """Ids as text, whether or not the client decodes."""
    return [one if isinstance(one, str) else one.decode() for one in reply]
