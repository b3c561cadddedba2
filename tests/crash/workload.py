"""The events of a run: what is sent, and what their handlers will do with them. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.crash.endings import Fate, draw

PLAIN = {"plain": 66, "emit": 14, "sync": 10, "batch": 4, "sync_batch": 2, "reject": 2}
"""Kinds of events, each with a handler of its name, and their weights."""
ODD = {"odd": 6, "odd_sync": 4, "odd_batch": 2}
"""Kinds whose handlers end in all the ways that `endings` knows."""
BLOB = "blob"
"""A kind that takes any bytes, so that a payload may have one byte."""
SLOWED = ("plain", "emit", "sync", "batch", "sync_batch", "reject")
BASE_MS = 1_700_000_000_000
MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Mix:
    """Which events a run is made of."""

    kinds: Mapping[str, int] = field(default_factory=lambda: PLAIN)
    slow: float = 0.003
    """Share of events that take one of `slow_seconds`."""
    slow_seconds: Sequence[float] = (0.7, 0.7, 2.6)
    odd: bool = False
    """Some handlers end oddly."""
    sized: bool = False
    """Payloads of 1 byte to 5 MB: as many between 1 and 10 bytes as between 100 kB and 1 MB."""


@dataclass(frozen=True)
class Sent:
    """One event: its number, its kind, and what its handler does."""

    seq: int
    kind: str
    fail: int
    """The first so many attempts fail."""
    pause: float
    """Seconds that the handler takes."""
    size: int = 0
    """Bytes of its payload, at least."""
    ending: int = 0
    """Seed of what an odd handler does at its end."""

    @property
    def fate(self) -> Fate:
        if self.kind in ODD:
            return Fate.ANY if self.kind == "odd_batch" else draw(self.ending).fate
        return Fate.DEAD if self.kind == "reject" else Fate.DONE

    def payload(self) -> bytes:
        if self.kind == BLOB:
            return b"x" * max(1, self.size)
        work = {"seq": self.seq, "pause": self.pause, "fail": self.fail, "ending": self.ending}
        text = json.dumps(work)
        pad = self.size - len(text) - len(', "pad": ""')
        return json.dumps({**work, "pad": "x" * pad} if pad > 0 else work).encode()


def entry_id(seq: int) -> bytes:
    """The id under which event `seq` is in the stream, so that sending it again adds nothing."""
    return b"%d-%d" % (BASE_MS + seq // 10, seq % 10 + 1)


def seq_of(entry_id: bytes) -> int:
    """The number in an id of `entry_id`; -1 for 0-0."""
    ms, _, number = entry_id.partition(b"-")
    return (int(ms) - BASE_MS) * 10 + int(number) - 1 if int(ms) else -1


def events(seed: int, count: int, mix: Mix) -> list[Sent]:
    """The events of a run: mostly quick, some slow, some failing at first, some rejected."""
    rng = random.Random(f"events/{seed}")
    kinds = {**mix.kinds, **(ODD if mix.odd else {}), **({BLOB: 40} if mix.sized else {})}
    made = []
    for seq in range(count):
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        slow = rng.random() < mix.slow and kind in SLOWED
        pause = rng.choice(list(mix.slow_seconds) if slow else [0, 0, 0, 0.001, 0.005])
        fail = rng.choice([1, 1, 2]) if rng.random() < 0.03 and kind != BLOB else 0
        if kind in ODD:
            fail = rng.choice([1, 1, 2])
        size = round(MAX_BYTES ** rng.random()) if mix.sized else 0
        made.append(Sent(seq, kind, fail, pause, size, rng.getrandbits(32) if mix.odd else 0))
    return made
