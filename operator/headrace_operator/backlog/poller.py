"""Reads the backlog of the whole fleet: one loop per Redis access, every second.

In: `watch(key, ...)` / `forget(key)`. Out: `reading(key)`, and `on_change(key)` whenever a new
reading could change a decision (wakeups.py says when), or was asked for. A stuck endpoint delays
only its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headrace.streams.server import Server
from headrace.worker.tasks import cancel
from headrace_operator.backlog.endpoint import Endpoint, Subject
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.backlog.wakeups import Reading


class BacklogPoller:
    """Owns the polling tasks; needs a running loop for `watch`."""

    def __init__(
        self, redis: RedisAccess, on_change: Callable[[str], None], interval: float = 1.0
    ) -> None:
        self._redis = redis
        self._on_change = on_change
        self._interval = interval
        self._endpoints: dict[Access, Endpoint] = {}
        self._keys: dict[str, Subject] = {}

    def watch(self, key: str, subject: Subject) -> None:
        """Starts or changes the polling of pipeline `key`; the same subject again is free."""
        known = self._keys.get(key)
        if known == subject:
            return
        if known is not None and (known.access, known.keys) == (subject.access, subject.keys):
            self._keys[key] = subject
            self._endpoints[subject.access].change(key, subject)
            return
        self.forget(key)
        endpoint = self._endpoints.get(subject.access)
        if endpoint is None:
            endpoint = Endpoint(self._redis, subject.access, self._on_change, self._interval)
            self._endpoints[subject.access] = endpoint
        self._keys[key] = subject
        endpoint.add(key, subject)

    def forget(self, key: str) -> None:
        """Stops polling `key`."""
        subject = self._keys.pop(key, None)
        if subject is None:
            return
        endpoint = self._endpoints[subject.access]
        endpoint.watched.pop(key)
        if not endpoint.watched:
            del self._endpoints[subject.access]
            endpoint.stop()

    def reading(self, key: str) -> Reading | None:
        """The newest reading, None before the first."""
        subject = self._keys.get(key)
        return self._endpoints[subject.access].watched[key].reading if subject else None

    def ask(self, key: str) -> float:
        """Reads `key` now, and calls `on_change` once there is a newer reading. Its `clock` is at
        least what this answers, monotonic seconds. Raises KeyError when `key` is not watched."""
        return self._endpoints[self._keys[key].access].ask(key)

    def knows(self, access: Access) -> bool:
        """Whether anything is read behind this access, so that `answers` means something."""
        return access in self._endpoints

    def answers(self, access: Access) -> bool:
        """Whether the newest round behind this access was answered; False before the first."""
        endpoint = self._endpoints.get(access)
        return endpoint is not None and endpoint.answers

    def servers(self) -> Iterator[tuple[str, Server]]:
        """Every Redis that is read, as `host:port/db`, and each server that answered there."""
        for access, endpoint in self._endpoints.items():
            for server in endpoint.servers:
                yield access.endpoint, server

    async def aclose(self) -> None:
        """Ends every task."""
        endpoints = list(self._endpoints.values())
        self._endpoints.clear()
        self._keys.clear()
        for endpoint in endpoints:
            endpoint.stop()
        await cancel(endpoint.task for endpoint in endpoints)
