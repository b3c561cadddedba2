"""Sends the events of a run, each under an id of its own, so that sending again adds nothing."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis

from tests.crash.broker import Broker

CHUNK = 50
KINDS = {"plain": 80, "emit": 14, "reject": 2}
BASE_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Sent:
    """One event: its number, its type, and how many attempts its handler fails."""

    seq: int
    kind: str
    fail: int
    pause: float


def seq_of(entry_id: bytes) -> int:
    """The sequence number in an id of `Sender.entry_id`; -1 for 0-0."""
    ms, _, number = entry_id.partition(b"-")
    return (int(ms) - BASE_MS) * 10 + int(number) - 1 if int(ms) else -1


def events(seed: int, count: int, slow: float, slow_seconds: Sequence[float]) -> list[Sent]:
    """The events of a run: mostly quick, some slow, some failing at first, some rejected."""
    rng = random.Random(f"events/{seed}")
    made = []
    for seq in range(count):
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        pause = rng.choice([0, 0, 0, 0.001, 0.005] if rng.random() > slow else slow_seconds)
        fail = rng.choice([1, 1, 2]) if rng.random() < 0.03 else 0
        made.append(Sent(seq, kind, fail, pause))
    return made


class Sender:
    """A thread that adds `events` to the stream at about `rate` a second."""

    def __init__(self, broker: Broker, stream: str, events: list[Sent], rate: float) -> None:
        self.broker = broker
        self.stream = stream
        self.events = events
        self.rate = rate
        self.sent = 0
        """How many are surely in the stream."""
        self.allowed = len(events)
        """How many may be sent so far."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._aborted = threading.Event()

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return self.sent == len(self.events)

    def join(self) -> None:
        self._thread.join()

    def abort(self) -> None:
        self._aborted.set()
        self._thread.join()

    @staticmethod
    def entry_id(seq: int) -> bytes:
        return b"%d-%d" % (BASE_MS + seq // 10, seq % 10 + 1)

    def _run(self) -> None:
        while self.sent < len(self.events) and not self._aborted.is_set():
            began = time.monotonic()
            try:
                with self.broker.client() as client:
                    while self.sent < len(self.events) and not self._aborted.is_set():
                        chunk = self.events[self.sent : min(self.sent + CHUNK, self.allowed)]
                        if not chunk:
                            self._aborted.wait(0.02)
                            continue
                        self._add(client, chunk)
                        self.sent += len(chunk)
                        pause = len(chunk) / self.rate - (time.monotonic() - began)
                        self._aborted.wait(max(0.0, pause))
                        began = time.monotonic()
            except (redis.RedisError, OSError):
                self._aborted.wait(0.05)

    def _add(self, client: redis.Redis, chunk: list[Sent]) -> None:
        # All or nothing: were the first refused and the rest not, their ids would be behind.
        pipeline = client.pipeline(transaction=True)
        for event in chunk:
            payload = {"seq": event.seq, "pause": event.pause, "fail": event.fail}
            fields = {"type": event.kind, "version": 1, "payload": json.dumps(payload)}
            pipeline.xadd(self.stream, fields, id=self.entry_id(event.seq))
        for answer in pipeline.execute(raise_on_error=False):
            # An id at or below the stream's last: it was added before a reply was lost.
            if isinstance(answer, redis.ResponseError) and "equal or smaller" in str(answer):
                continue
            if isinstance(answer, Exception):
                raise answer
