"""Arrival and per-worker rates, measured from what the poller sees anyway.

In: one sample per look. Out: `Rates`. Pure and immutable: `observe` returns a new value.
A worker's rate can only be seen while every worker has work waiting; a quiet group says
nothing about how fast it could be, so such a stretch of time is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

WINDOW = 60.0  # seconds that arrivals are averaged over
RECENT = 15.0  # a rise is believed after this time, a fall only after WINDOW
SPACING = 5.0  # seconds between two samples that are kept
SMOOTHING = 0.3  # weight of the newest measurement of a worker's rate
BELIEVED = 600.0  # seconds that a measured worker rate stands; then it is put to the test


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: entries ever added, ready and not yet delivered; workers ready to take them.

    clock: seconds, when Redis was read.
    """

    clock: float
    added: int
    ready: int
    lag: int
    workers: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Entries per second; None while unknown."""

    samples: tuple[Sample, ...] = ()
    per_worker: float | None = None
    measured_at: float = 0.0

    @property
    def arrival(self) -> float | None:
        """The mean of the window, or of its newest part where that is more."""
        if not self.samples or self.samples[-1].clock - self.samples[0].clock < SPACING:
            return None
        last = self.samples[-1]
        recent = [s for s in self.samples if SPACING <= last.clock - s.clock <= RECENT + SPACING]
        return max(_arrival(first, last) for first in (self.samples[0], *recent[:1]))

    def workers_for(self, arrival: float, clock: float) -> int | None:
        """Workers that keep up with `arrival`; None while a worker's rate is unknown.

        A rate that nothing confirmed for long is taken to have grown: the group is tried with
        fewer workers, and if they fall behind, the rate is measured again.
        """
        if self.per_worker is None:
            return None
        doubt = max(clock - self.measured_at - BELIEVED, 0.0) / BELIEVED
        return ceil(arrival / (self.per_worker * (1 + doubt)))

    def observe(self, sample: Sample) -> Rates:
        """Takes in a sample; a counter that went back (a new stream) starts afresh."""
        if not self.samples or sample.added < self.samples[-1].added:
            return Rates((sample,))
        last = self.samples[-1]
        if sample.clock <= last.clock:
            # The same reading again, or the server's clock was put back.
            return self if last.clock - sample.clock < WINDOW else replace(self, samples=(sample,))
        # A change of workers begins a stretch of its own, or none would ever have the same ones.
        if sample.clock - last.clock < SPACING and sample.workers == last.workers:
            return self
        recent = tuple(s for s in self.samples if sample.clock - s.clock <= WINDOW)
        return replace(self, samples=(*(recent or (last,)), sample))._measured(last, sample)

    def _measured(self, last: Sample, sample: Sample) -> Rates:
        """With what the stretch between the two says of a worker's rate."""
        finished = _finished(last, sample)
        if finished is None:
            return self
        seen = finished / sample.workers
        # A second's work waited all the time, so every worker was busy.
        if min(last.lag, sample.lag) >= finished:
            smooth = _smooth(self.per_worker, seen)
            return replace(self, per_worker=smooth, measured_at=sample.clock)
        # Not all were busy all the time, so they can do at least this much.
        if self.per_worker is not None:
            return replace(self, per_worker=max(seen, self.per_worker))
        # A short drain, most of which waited when it began: close enough to begin with.
        if last.lag >= finished * (sample.clock - last.clock) / 2:
            return replace(self, per_worker=seen, measured_at=sample.clock)
        return self


def _arrival(first: Sample, last: Sample) -> float:
    return (last.added - first.added) / (last.clock - first.clock)


def _finished(before: Sample, after: Sample) -> float | None:
    """Entries per second that the same workers finished between two looks, if they did."""
    if not before.workers == after.workers > 0:
        return None
    finished = (after.added - before.added) - (after.ready - before.ready)
    return finished / (after.clock - before.clock) if finished > 0 else None


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
