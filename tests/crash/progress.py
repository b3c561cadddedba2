"""No worker stands still while it has work. Pure: what was seen in, violations out.

A worker that is alive shows it by a line in the handlers' record or by an entry of its own that
left its pending entries. The group as a whole shows it while the stream holds unread entries. Each
has the length of an outage, the longest handler and two seconds. Payloads that come in, or leave,
are a sign, too, but not for longer than the largest message takes: the same one may come for ever.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

SLACK_SECONDS = 2.0
LOOK_SECONDS = 0.1
"""A look that came later shows that the machine had no time, for the workers neither: time goes by
by no more than this from look to look."""


@dataclass(frozen=True)
class Look:
    """What the witness saw at one moment (Unix seconds)."""

    at: float
    unread: bool
    """The stream holds entries that no consumer has been given, or the group is missing."""
    owned: Mapping[str, int]
    """Consumer -> how many entries are pending for it."""


@dataclass
class Life:
    """A worker process at work, from its first entry on; a pause ends one life and begins one."""

    consumer: str
    began: float
    ended: float = float("inf")


@dataclass(frozen=True)
class Span:
    """Unix seconds between which nobody could get on."""

    began: float
    ended: float


@dataclass(frozen=True)
class Signs:
    """Consumer -> sorted Unix seconds."""

    handled: Mapping[str, Sequence[float]]
    """A handler of it began or ended."""
    carried: Mapping[str, Sequence[float]]
    """A piece of a large message came to it, or left it."""

    def of(self, consumer: str) -> tuple[Sequence[float], Sequence[float]]:
        return self.handled.get(consumer, ()), self.carried.get(consumer, ())

    @property
    def of_all(self) -> tuple[Sequence[float], Sequence[float]]:
        handled, carried = self.handled.values(), self.carried.values()
        return sorted(chain.from_iterable(handled)), sorted(chain.from_iterable(carried))


def stood_still(
    looks: Sequence[Look],
    signs: Signs,
    lives: Iterable[Life],
    outages: Iterable[Span],
    *,
    longest_handler: float,
    longest_message: float = 0.0,
) -> list[str]:
    """A sentence for each worker, and for the group, that stood still for too long (seconds)."""
    still_bound = longest_handler + SLACK_SECONDS
    message_bound = still_bound + longest_message
    pauses = sorted(outages, key=lambda span: span.began)
    found = []
    for life in lives:
        works = [(look.at, look.owned.get(life.consumer, 0)) for look in looks]
        still, busy = _longest(_alive(works, life), *signs.of(life.consumer), pauses)
        if still > still_bound:
            found.append(f"{life.consumer} held entries and did nothing for {still:.1f} s")
        elif busy > message_bound:
            found.append(f"{life.consumer} moved payloads, and nothing else, for {busy:.1f} s")
    works = [(look.at, int(look.unread)) for look in looks]
    still, busy = _longest(works, *signs.of_all, pauses)
    if still > still_bound:
        found.append(f"entries were unread and nobody did anything for {still:.1f} s")
    elif busy > message_bound:
        found.append(f"entries were unread and payloads moved, no more, for {busy:.1f} s")
    return found


def _alive(works: list[tuple[float, int]], life: Life) -> list[tuple[float, int]]:
    return [(at, work) for at, work in works if life.began <= at <= life.ended]


def _longest(
    works: Iterable[tuple[float, int]],
    handled: Sequence[float],
    carried: Sequence[float],
    pauses: Sequence[Span],
) -> tuple[float, float]:
    """The longest times with work: without any sign, and without any but carried payloads. Fewer
    entries than before are a sign, too."""
    worst = still = worst_busy = busy = 0.0
    before, last = 0, 0.0
    for at, work in works:
        out = any(pause.began <= at and pause.ended >= last for pause in pauses)
        if not work or not before or work < before or out or _any(handled, last, at):
            still = busy = 0.0
        else:
            step = min(at - last, LOOK_SECONDS)
            busy += step
            still = 0.0 if _any(carried, last, at) else still + step
        worst, worst_busy = max(worst, still), max(worst_busy, busy)
        before, last = work, at
    return worst, worst_busy


def _any(times: Sequence[float], after: float, until: float) -> bool:
    return bisect_right(times, until) > bisect_right(times, after)
