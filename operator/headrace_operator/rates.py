"""Arrival and per-worker rates, measured from what the poller sees anyway.

In: one sample per look. Out: `Rates`. Pure and immutable: `observe` returns a new value.
A worker's rate can only be seen while every worker has work waiting; a quiet group says
nothing about how fast it could be, so such a stretch of time is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

WINDOW = 60.0  # seconds that arrivals are averaged over
SPACING = 5.0  # seconds between two samples that are kept
SMOOTHING = 0.3  # weight of the newest measurement of a worker's rate
FORGET = 600.0  # seconds after which an unconfirmed worker rate is no longer believed


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: entries ever added, entries ready, workers that were ready to take them."""

    clock: float
    added: int
    ready: int
    workers: int
    saturated: bool  # undelivered entries were waiting


@dataclass(frozen=True, slots=True)
class Rates:
    """Entries per second; None while unknown."""

    samples: tuple[Sample, ...] = ()
    per_worker: float | None = None
    measured_at: float = 0.0

    @property
    def arrival(self) -> float | None:
        if len(self.samples) < 2:
            return None
        first, last = self.samples[0], self.samples[-1]
        return (last.added - first.added) / (last.clock - first.clock)

    def observe(self, sample: Sample) -> Rates:
        """Takes in a sample; a counter that went back (a new stream) starts afresh."""
        if not self.samples or sample.added < self.samples[-1].added:
            return Rates((sample,))
        last = self.samples[-1]
        if sample.clock - last.clock < SPACING:
            return self
        recent = tuple(s for s in self.samples if sample.clock - s.clock <= WINDOW)
        fresh = replace(self, samples=(*(recent or (last,)), sample))
        measured = _per_worker(last, sample)
        if measured is not None:
            return replace(
                fresh, per_worker=_smooth(self.per_worker, measured), measured_at=sample.clock
            )
        if sample.clock - self.measured_at > FORGET:
            return replace(fresh, per_worker=None)
        return fresh


def _per_worker(before: Sample, after: Sample) -> float | None:
    """What one worker finished per second between two looks, if all were busy throughout."""
    busy = before.saturated and after.saturated and before.workers == after.workers > 0
    finished = (after.added - before.added) - (after.ready - before.ready)
    if not busy or finished <= 0:
        return None
    return finished / (after.workers * (after.clock - before.clock))


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
