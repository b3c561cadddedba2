"""How many entries to ask for at once, by the sizes and the speed of what came before. Pure.

Redis counts entries, never bytes: what a reply weighs shows when it comes. So the count begins
with one and doubles, keeps to what the line carries in a second, and falls when a reply is lost.
"""

from __future__ import annotations

from headrace.worker.held import LARGE_BYTES

MAX_REPLY_BYTES = 32 << 20
"""A reply that grows beyond this is given up, unless it holds a single entry of each stream."""
HELD_BYTES = 32 << 20
"""What the entries of a worker may weigh together. Decoded and in replies on their way they weigh
as much again, twice."""
FIRST_COUNT = 1
TRANSFER_SECONDS = 1.0
"""How long a reply should take to come in."""
MEASURABLE_BYTES = 1 << 18
"""A reply that large tells the speed of the line; a smaller one sits in the socket's buffers."""
MAX_COUNT = 1 << 20


class ReplySize:
    """One per worker: reads and claims bring entries of the same stream over the same line."""

    def __init__(self) -> None:
        self._most = FIRST_COUNT
        self._entry_bytes = 0.0
        self._bytes_per_second: float | None = None

    def most(self, free_bytes: float) -> int:
        """How many entries may weigh `free_bytes` together, and come in soon."""
        most = self._most
        if self._entry_bytes >= LARGE_BYTES:
            most = min(most, max(0, int(free_bytes / self._entry_bytes)))
            if self._bytes_per_second is not None:
                carried = TRANSFER_SECONDS * self._bytes_per_second / self._entry_bytes
                most = min(most, max(1, int(carried)))
        return most

    def arrived(self, entries: int, size: int, seconds: float) -> None:
        """A reply of so many entries and bytes came in, in so many seconds. One without entries
        tells nothing."""
        if not entries:
            return
        self._most = min(MAX_COUNT, 2 * self._most)
        mean = size / entries
        if mean >= self._entry_bytes:
            self._entry_bytes = mean
        else:
            self._entry_bytes = (3 * self._entry_bytes + mean) / 4
        if size >= MEASURABLE_BYTES and seconds > 0:
            self._bytes_per_second = size / seconds

    def failed(self, asked: int, received: int = 0) -> None:
        """A reply to a call for `asked` entries did not come, or grew too large: so many bytes had
        been received."""
        large = received >= MEASURABLE_BYTES
        self._most = 1 if large else max(1, min(self._most, asked) // 4)
