"""How much more this worker takes: by entries, by the time they will wait, and by bytes.

What waits here is kept from idle peers, so a worker takes what it can begin at once, and beside it
no more than about half a second of handling at its measured speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headrace.entry import Entry
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.held import Holding
from headrace.worker.intake.reply_size import HELD_BYTES, ReplySize
from headrace.worker.settling.settler import Settler

BUFFERED_SECONDS = 0.5
READ_AHEAD = 3
"""Batches that wait at most: one being handled, one in the commit, one in the read."""
STREAMS_PER_READ = 2
"""COUNT is per stream, and a read asks the stream and its replay stream."""


def bound(
    concurrency: int, batch_size: int, mean_seconds: float | None, handler_batch: int = 0
) -> int:
    """How many entries reads may fill a worker with.

    `mean_seconds`: average handling time of late, None before the first event. `handler_batch`: the
    most events that one call of a batch handler takes, 0 where there is none.
    """
    most = READ_AHEAD * batch_size
    if mean_seconds is None:
        waiting = 0
    elif mean_seconds * most <= BUFFERED_SECONDS * concurrency:
        waiting = most
    else:
        waiting = int(BUFFERED_SECONDS * concurrency / mean_seconds)
    return concurrency + max(waiting, min(handler_batch, batch_size))


class Room:
    """Answers for the reader and for the claims of one worker."""

    def __init__(
        self,
        *,
        holding: Holding,
        dispatcher: Dispatcher,
        settler: Settler,
        concurrency: int,
        batch_size: int,
    ) -> None:
        self._holding = holding
        self._dispatcher = dispatcher
        self._settler = settler
        self._concurrency = concurrency
        self._batch_size = batch_size
        self._mean = MeanHandling()
        self._handler_batch = max(
            (one.handler.max_size for one in dispatcher.routes.all if one.handler.is_batch),
            default=0,
        )
        self.reply_size = ReplySize()
        self.on_claimed: Callable[[], None] = lambda: None
        """Called when a claim has ended: it may have brought less than it might have."""
        self._claiming = 0
        """How many entries the claim under way may bring."""
        self._reading = 0
        """The same of the read: one is under way from `for_read` to the next."""

    def for_read(self) -> int:
        """COUNT of the next read; 0 = do not read."""
        self._mean.update(self._dispatcher)
        free = self._free(len(self._holding) - self._settler.leaving + self._claiming)
        # Rounded up: a slot without work is worse than one entry too many.
        count = self._cut(min(self._batch_size, -(-free // STREAMS_PER_READ)))
        self._reading = min(free, STREAMS_PER_READ * count) if count else 0
        return count

    def for_claim(self, most: int) -> int:
        """How many entries a claim may bring, at most `most`. A slot's worth is kept for claims
        beside what reads may fill, or retries would starve while the stream has a backlog."""
        free = self._free(len(self._holding) + self._reading)
        return self._cut(min(most, free + self._concurrency))

    @contextmanager
    def kept(self, count: int) -> Iterator[None]:
        """Around a claim that may bring so many entries: a read meanwhile leaves them room."""
        self._claiming = count
        try:
            yield
        finally:
            self._claiming = 0
            self.on_claimed()

    def for_suspects(self) -> int:
        """How many entries with a crash behind them a claim may bring: one at a time runs alone."""
        return 0 if self._dispatcher.suspects_waiting.is_set() else 1

    def held_up(self) -> list[Entry]:
        """Empties the queue when it has stood still for long, because a suspect runs alone: others
        may begin what waits in it."""
        if self._dispatcher.paused_seconds < BUFFERED_SECONDS:
            return []
        return self._dispatcher.take_queued()

    def _free(self, held: int) -> int:
        if self._dispatcher.queue.paused:
            return -self._concurrency  # nothing would begin: a suspect runs alone
        mean = self._mean.value
        return bound(self._concurrency, self._batch_size, mean, self._handler_batch) - held

    def bytes_for_claim(self) -> float:
        """How much a claim may weigh."""
        return _half_of_free(self._holding.size)

    def _cut(self, count: int) -> int:
        """As many of `count` as their bytes allow; one always, for a worker that holds nothing."""
        if count <= 0:
            return 0
        held = self._holding.size
        most = self.reply_size.most(_half_of_free(held))
        return min(count, most if held else max(1, most))


def _half_of_free(held: int) -> float:
    """A read and a claim are on their way at the same time, and neither is held yet."""
    return (HELD_BYTES - held) / 2


class MeanHandling:
    """Average seconds per event, smoothed over reads."""

    def __init__(self) -> None:
        self._count = 0
        self._total = 0.0
        self.value: float | None = None

    def update(self, dispatcher: Dispatcher) -> None:
        count, total = 0, 0.0
        for route in dispatcher.routes.all:
            count += sum(route.times.counts)
            total += route.times.total
        if count > self._count:
            recent = (total - self._total) / (count - self._count)
            self.value = recent if self.value is None else (3 * self.value + recent) / 4
            self._count, self._total = count, total
