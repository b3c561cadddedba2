"""Sends the events of a run, each under an id of its own, so that sending again adds nothing."""

from __future__ import annotations

import threading
import time

import redis

from tests.crash.broker import Broker
from tests.crash.workload import Sent, entry_id

CHUNK = 50


class Sender:
    """A thread that adds `events` to the stream at about `rate` a second."""

    def __init__(self, broker: Broker, stream: str, events: list[Sent], rate: float) -> None:
        self.broker = broker
        self.stream = stream
        self.events = events
        self.rate = rate
        self.sent = 0
        """How many are surely in the stream."""
        self.sent_at: list[float] = []
        """Unix seconds at which each surely was."""
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
                        self.sent_at += [time.time()] * len(chunk)
                        pause = len(chunk) / self.rate - (time.monotonic() - began)
                        self._aborted.wait(max(0.0, pause))
                        began = time.monotonic()
            except (redis.RedisError, OSError):
                self._aborted.wait(0.05)

    def _add(self, client: redis.Redis, chunk: list[Sent]) -> None:
        # All or nothing: were the first refused and the rest not, their ids would be behind.
        pipeline = client.pipeline(transaction=True)
        for event in chunk:
            fields = {"type": event.kind, "version": 1, "payload": event.payload()}
            pipeline.xadd(self.stream, fields, id=entry_id(event.seq))
        for answer in pipeline.execute(raise_on_error=False):
            # An id at or below the stream's last: it was added before a reply was lost.
            if isinstance(answer, redis.ResponseError) and "equal or smaller" in str(answer):
                continue
            if isinstance(answer, Exception):
                raise answer
