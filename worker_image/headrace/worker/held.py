"""What this worker holds: every entry in its own pending entries list, from delivery to commit.

The bound is on entries and on work: a worker never holds more than about half a second of handling
besides what runs, so that a slow handler's queue is not kept from idle peers.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.entry import Entry
from headrace.streams.entries import Source

BUFFERED_SECONDS = 0.5
READ_AHEAD = 3
"""Buffers' worth of entries: one being handled, one in the commit, one in the read."""
STREAMS_PER_READ = 2
"""COUNT is per stream, and a read asks the stream and its replay stream."""


def read_count(held: int, concurrency: int, batch_size: int, mean_seconds: float | None) -> int:
    """COUNT of the next read; 0 = do not read."""
    room = read_room(held, concurrency, batch_size, mean_seconds)
    return max(0, min(batch_size, room // STREAMS_PER_READ))


def read_room(held: int, concurrency: int, batch_size: int, mean_seconds: float | None) -> int:
    """How many entries reads may add, below 0 when claims have filled more than that.

    `mean_seconds`: average handling time of late, None before the first event.
    """
    if mean_seconds is None:
        buffer = concurrency
    elif mean_seconds * batch_size <= BUFFERED_SECONDS * concurrency:
        buffer = batch_size
    else:
        buffer = min(
            batch_size, max(concurrency, int(BUFFERED_SECONDS * concurrency / mean_seconds))
        )
    return concurrency + READ_AHEAD * buffer - held


class Holding:
    """Entries by source and id. Written by the loop, read by the lease thread (whole copies)."""

    def __init__(self) -> None:
        self.main: dict[bytes, Entry] = {}
        self.replay: dict[bytes, Entry] = {}
        self.renewing = False
        """Set by the lease's thread from its question to Redis until it has noted the answer."""
        self.on_drop: Callable[[Entry], None] = lambda _: None
        """Called with each dropped entry that carries an event id."""

    def __len__(self) -> int:
        return len(self.main) + len(self.replay)

    def add(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._of(entry)[entry.id] = entry

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
