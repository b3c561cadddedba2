"""No worker stands still while it has work. Pure: what was seen in, violations out.

A worker that is alive shows it by a line in the handlers' record or by an entry of its own that
left its pending entries. The group as a whole shows it while the stream holds unread entries. Each
has the length of an outage, the longest handler and two seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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


def stood_still(
    looks: Sequence[Look],
    signs: Mapping[str, Sequence[float]],
    lives: Iterable[Life],
    outages: Iterable[Span],
    longest_handler: float,
) -> list[str]:
    """A sentence for each worker, and for the group, that stood still for too long.

    `signs`: consumer -> sorted Unix seconds at which its handlers began or ended.
    """
    bound = longest_handler + SLACK_SECONDS
    pauses = sorted(outages, key=lambda span: span.began)
    found = []
    for life in lives:
        told = signs.get(life.consumer, ())
        works = [(look.at, look.owned.get(life.consumer, 0)) for look in looks]
        worst = _longest(_alive(works, life), told, pauses)
        if worst > bound:
            found.append(f"{life.consumer} held entries and did nothing for {worst:.1f} s")
    everybody = sorted(at for told in signs.values() for at in told)
    worst = _longest([(look.at, int(look.unread)) for look in looks], everybody, pauses)
    if worst > bound:
        found.append(f"entries were unread and nobody did anything for {worst:.1f} s")
    return found


def _alive(works: list[tuple[float, int]], life: Life) -> list[tuple[float, int]]:
    return [(at, work) for at, work in works if life.began <= at <= life.ended]


def _longest(
    works: Iterable[tuple[float, int]], told: Sequence[float], pauses: Sequence[Span]
) -> float:
    """The longest time with work and without a sign. Fewer entries than before are a sign, too."""
    worst = still = 0.0
    before, last = 0, 0.0
    for at, work in works:
        moved = bisect_right(told, at) > bisect_right(told, last)
        out = any(pause.began <= at and pause.ended >= last for pause in pauses)
        if not work or not before or work < before or moved or out:
            still = 0.0
        else:
            still += min(at - last, LOOK_SECONDS)
        worst = max(worst, still)
        before, last = work, at
    return worst
