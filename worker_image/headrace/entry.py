"""`Entry`: one stream entry that this worker holds, from its delivery to its settlement."""

from __future__ import annotations

from headrace.event import field_map
from headrace.streams import entries as streams
from headrace.streams.dead_letters import read_replayed
from headrace.streams.entries import NO_RECORD, Record, Source
from headrace.streams.settlement import Output


class Entry:
    """What was delivered, and how often it was tried before.

    `fields` is the flat list as Redis answered it; nothing is decoded until a handler needs it.
    Mutable: the lease marks it lost or trimmed, the handler's `ctx.emit` adds outputs. What a first
    delivery has in common stands on the class, so that making one writes two attributes.
    """

    source: Source = Source.MAIN
    delivery_count: int = 1
    record: Record = NO_RECORD
    """Failures and crashes of earlier tries."""
    original_id: bytes | None = None
    """For a replayed entry: its id in its first life."""
    replays: int = 0
    """How often it was sent back from the dead letters."""
    plain: bool = True
    """A first delivery from the stream, so that success needs nothing but its id."""
    lost: bool = False
    """Another consumer has it now: whatever the handler does is discarded."""
    trimmed: bool = False
    """Its body left the stream while we held it: settle without the fence."""
    size: int = 0
    """Bytes of the fields, for what may be large; 0 for the others, which do not weigh."""
    outputs: list[Output] | None = None
    event_id: bytes | None = None
    """The deduplication id, where the group deduplicates."""

    def __init__(self, id: bytes, fields: list[bytes]) -> None:
        self.id = id
        self.fields = fields

    @classmethod
    def replayed(cls, id: bytes, fields: list[bytes]) -> Entry:
        """An entry of the replay stream, with the fields and the id of its first life."""
        letter = read_replayed(fields)
        entry = cls(id, letter.fields)
        entry.source = Source.REPLAY
        entry.original_id = letter.original_id
        entry.replays = letter.replays
        entry.plain = False
        return entry

    @classmethod
    def claimed(cls, claimed: streams.ClaimedEntry) -> Entry:
        """An entry taken from another consumer or from the parked ones."""
        if claimed.source is Source.REPLAY:
            entry = cls.replayed(claimed.id, claimed.fields)
        else:
            entry = cls(claimed.id, claimed.fields)
        entry.plain = False
        entry.delivery_count = claimed.delivery_count
        entry.record = claimed.record
        return entry

    def field(self, name: bytes) -> bytes | None:
        """One field's value; the first of that name."""
        fields = self.fields
        if name not in fields:
            return None
        for index in range(0, len(fields), 2):
            if fields[index] == name:
                return fields[index + 1]
        return None

    def field_map(self) -> dict[bytes, bytes]:
        return field_map(self.fields)

    def __repr__(self) -> str:
        return f"<Entry {self.id.decode()} {self.source.name} delivery {self.delivery_count}>"
