"""Send the flights to the stream, from a thread of its own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from typing import Any

import redis
from examples.flights.demo.data import EVENT_TYPE
from examples.flights.demo.figures import STREAM

import headrace

CHUNK = 1000


class Sender(threading.Thread):
    """`sent` counts the events that Redis has acknowledged; `error` is set when it gave up.

    `client` belongs to the sender alone and must have no retries: a repeated XADD doubles events.
    """

    def __init__(self, client: redis.Redis, payloads: Iterable[dict[str, Any]]) -> None:
        super().__init__(name="sender", daemon=True)
        self._producer = headrace.SyncProducer(client, STREAM, batch_size=CHUNK)
        self._payloads = iter(payloads)
        self._stopped = threading.Event()
        self.sent = 0
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                chunk = list(itertools.islice(self._payloads, CHUNK))
                if not chunk:
                    return
                events = [headrace.Event(EVENT_TYPE, payload) for payload in chunk]
                self.sent += len(self._producer.send_many(events))
        except headrace.NotSent as error:
            self.error = error

    def stop(self) -> None:
        self._stopped.set()
        self.join()
