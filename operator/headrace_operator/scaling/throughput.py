"""Arrival and per-worker rates, measured from what the poller sees anyway.

In: one sample per decision. Out: `Rates`. Pure and immutable: `observe` returns a new value.
A worker's rate can only be seen while every worker has work waiting; a quiet group says
nothing about how fast it could be, so such a stretch of time is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

# Arrivals are averaged over this time.
WINDOW_SECONDS = 60.0
# A rise counts after this time, a fall only after WINDOW_SECONDS.
RECENT_SECONDS = 15.0
# Between two samples that are kept.
SPACING_SECONDS = 5.0
# Weight of the newest measurement of a worker's rate.
SMOOTHING = 0.3
# A worker's rate that was not measured for this long is assumed to be too low.
RATE_TTL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Entries ever added, ready and not yet delivered, and the workers ready to take them.

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
        if not self.samples or self.samples[-1].clock - self.samples[0].clock < SPACING_SECONDS:
            return None
        last = self.samples[-1]
        recent = [
            s
            for s in self.samples
            if SPACING_SECONDS <= last.clock - s.clock <= RECENT_SECONDS + SPACING_SECONDS
        ]
        return max(_arrival(first, last) for first in (self.samples[0], *recent[:1]))

    def workers_for(self, arrival: float, clock: float) -> int | None:
        """Workers that keep up with `arrival`; None while a worker's rate is unknown.

        A stale rate is assumed to be too low and is raised step by step; if the group falls
        behind, it is measured again.
        """
        if self.per_worker is None:
            return None
        staleness = max(clock - self.measured_at - RATE_TTL_SECONDS, 0.0) / RATE_TTL_SECONDS
        return ceil(arrival / (self.per_worker * (1 + staleness)))

    def observe(self, sample: Sample) -> Rates:
        """Takes in a sample; a counter that went back (a new stream) starts afresh."""
        if not self.samples or sample.added < self.samples[-1].added:
            return Rates((sample,))
        last = self.samples[-1]
        if sample.clock <= last.clock:
            # The same reading again, or the server's clock was put back.
            return (
                self
                if last.clock - sample.clock < WINDOW_SECONDS
                else replace(self, samples=(sample,))
            )
        # A change of workers begins a stretch of its own, or none would ever have the same ones.
        if sample.clock - last.clock < SPACING_SECONDS and sample.workers == last.workers:
            return self
        recent = tuple(s for s in self.samples if sample.clock - s.clock <= WINDOW_SECONDS)
        return replace(self, samples=(*(recent or (last,)), sample))._measured(last, sample)

    def _measured(self, last: Sample, sample: Sample) -> Rates:
        """With what the stretch between the two says of a worker's rate."""
        finished = _finished(last, sample)
        if finished is None:
            return self
        measured = finished / sample.workers
        # A second's work waited all the time, so every worker was busy.
        if min(last.lag, sample.lag) >= finished:
            smooth = _smooth(self.per_worker, measured)
            return replace(self, per_worker=smooth, measured_at=sample.clock)
        # Not all were busy all the time, so they can do at least this much.
        if self.per_worker is not None:
            return replace(self, per_worker=max(measured, self.per_worker))
        # A short drain, most of which waited when it began: close enough to begin with.
        if last.lag >= finished * (sample.clock - last.clock) / 2:
            return replace(self, per_worker=measured, measured_at=sample.clock)
        return self


def _arrival(first: Sample, last: Sample) -> float:
    return (last.added - first.added) / (last.clock - first.clock)


def _finished(before: Sample, after: Sample) -> float | None:
    """Entries per second that the same workers finished between two samples, if they did."""
    if not before.workers == after.workers > 0:
        return None
    finished = (after.added - before.added) - (after.ready - before.ready)
    return finished / (after.clock - before.clock) if finished > 0 else None


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
