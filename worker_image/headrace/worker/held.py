"""What this worker holds: every entry in its own pending entries list, from delivery to commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headrace.entry import Entry
from headrace.streams.entries import Source

LARGE_BYTES = 4096
"""From here on an entry's size counts."""


class Holding:
    """Entries by source and id. Written by the loop, read by the lease's thread (whole copies)."""

    def __init__(self) -> None:
        self.main: dict[bytes, Entry] = {}
        self.replay: dict[bytes, Entry] = {}
        self.renewing = False
        """Set by the lease's thread from its questions to Redis until it has noted all answers; a
        reply that is lost leaves it set until the next round."""
        self.on_its_way: Callable[[], Iterable[Entry]] = tuple
        """Gives the held entries whose end is being written. Redis may have it before the loop
        hears of it: a renewal then finds them gone."""
        self.has_large = False
        """Some entry may be large: only then are sizes added up."""
        self.on_drop: Callable[[Entry], None] = lambda _: None
        """Called with each dropped entry that carries an event id."""

    def __len__(self) -> int:
        return len(self.main) + len(self.replay)

    @property
    def size(self) -> int:
        """Bytes of the large entries held; the others do not count."""
        if not self.has_large:
            return 0
        size = sum(entry.size for entry in self.snapshot())
        self.has_large = size > 0
        return size

    def add(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._of(entry)[entry.id] = entry

    def weigh(self, entries: list[Entry]) -> None:
        """Note the sizes of entries that may be large."""
        for entry in entries:
            entry.size = sum(map(len, entry.fields))
            if entry.size >= LARGE_BYTES:
                self.has_large = True

    def drop(self, entry: Entry) -> None:
        """Forget an entry whose end is written, unless a later delivery of it took its place."""
        source = self._of(entry)
        if source.get(entry.id) is entry:
            del source[entry.id]
        if entry.event_id is not None:
            self.on_drop(entry)

    def snapshot(self) -> list[Entry]:
        """A copy that another thread may walk: list() of a dict's values is one step."""
        return [*list(self.main.values()), *list(self.replay.values())]

    def ids(self, source: Source) -> list[bytes]:
        return list(self.replay if source is Source.REPLAY else self.main)

    def _of(self, entry: Entry) -> dict[bytes, Entry]:
        return self.replay if entry.source is Source.REPLAY else self.main
