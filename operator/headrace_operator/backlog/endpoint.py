"""One Redis access, and the loop that reads everything watched behind it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio

from headrace.streams import refusals
from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.connect import REDIS_ERRORS, Mode
from headrace.streams.detect import detect
from headrace.streams.keys import StreamKeys
from headrace.streams.memory import memories_of
from headrace.streams.primary import SlotNotServed
from headrace.streams.server import Server
from headrace_operator.backlog import redis_errors
from headrace_operator.backlog.pace import ROUNDS, pace
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.backlog.server_watch import INTERVAL_SECONDS, ServerWatch
from headrace_operator.backlog.wakeups import (
    WAKE_INTERVAL_SECONDS,
    Reading,
    ScalingTarget,
    Urgency,
    urgency,
)

logger = logging.getLogger(__name__)

# Streams per round trip: bounds what the server does in one go.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """What to read for one pipeline. `groups`: Redis group names.
    `targets`: by Redis group name, what a new worker takes."""

    access: Access
    keys: StreamKeys
    groups: tuple[str, ...]
    targets: Mapping[str, ScalingTarget] = field(default_factory=dict)

    @property
    def query(self) -> tuple[StreamKeys, tuple[str, ...]]:
        return self.keys, self.groups


@dataclass(slots=True)
class Watched:
    """`is_due`: read it now, not in the next round. `asked_at`: since when somebody waits for an
    answer that is newer, monotonic seconds; None: nobody does."""

    subject: Subject
    is_due: bool = True
    asked_at: float | None = None
    failures: int = 0
    """Rounds in which its server did not answer, one after the other."""
    reading: Reading | None = None
    reported: Reading | None = None
    bytes: int | None = None
    weighed_at: float = -inf
    """When the stream's memory was last asked for, monotonic seconds."""


class Endpoint:
    """`on_change` is called with a key whose new reading may change a decision."""

    def __init__(
        self,
        redis: RedisAccess,
        access: Access,
        on_change: Callable[[str], None],
        interval: float,
    ) -> None:
        self.watched: dict[str, Watched] = {}
        self.answers = False
        self._kinds: WeakKeyDictionary[Any, Server] = WeakKeyDictionary()
        self._redis = redis
        self._servers = ServerWatch()
        self._access = access
        self._on_change = on_change
        self._interval = interval
        self._new = asyncio.Event()
        self._failures = 0
        self._stopped = False
        self.task = asyncio.create_task(self._run(), name=f"poll {access.endpoint}")

    @property
    def servers(self) -> frozenset[Server]:
        """Those that answered, by name and version."""
        return frozenset(self._kinds.values())

    def add(self, key: str, subject: Subject) -> None:
        self.watched[key] = Watched(subject)
        self._new.set()  # the first reading is not kept waiting for the next round

    def change(self, key: str, subject: Subject) -> None:
        """Reads other groups of the same stream; what was read of the others still holds."""
        watched = self.watched[key]
        if watched.subject.groups != subject.groups:
            watched.is_due = True
            self._new.set()
        watched.subject = subject

    def ask(self, key: str) -> float:
        watched, now = self.watched[key], time.monotonic()
        watched.is_due, watched.asked_at = True, now
        self._new.set()
        return now

    def stop(self) -> None:
        self._stopped = True  # a cancellation may be swallowed, see worker/tasks.py
        self.task.cancel()

    async def _run(self) -> None:
        pause = 0.0
        took: deque[float] = deque(maxlen=ROUNDS)
        while not self._stopped:
            await self._until_new_or(pause)
            started = time.monotonic()
            only_new = self._new.is_set() and pause > 0
            self._new.clear()
            keys = [k for k, w in self.watched.items() if not only_new or w.is_due]
            await self._read(keys)
            if not only_new:
                took.append(time.monotonic() - started)
            pause = pace(self._interval, took, self._failures)

    async def _until_new_or(self, pause: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._new.wait()

    async def _read(self, keys: list[str]) -> None:
        """One round, every server at once. A failure is told to all whose server it is."""
        if not keys:
            return  # nobody was asked: that says nothing about the server
        try:
            servers = await self._by_server(keys)
        except REDIS_ERRORS as error:
            self._failed(error, list(self.watched))
            return
        await asyncio.gather(*(self._read_from(*one) for one in servers.items()))

    async def _by_server(self, keys: list[str]) -> dict[redis.asyncio.Redis, list[str]]:
        """Whom to ask for which keys: one server, but for the nodes of a Cluster."""
        servers: dict[redis.asyncio.Redis, list[str]] = {}
        for key in keys:
            if key not in self.watched:
                continue
            stream = self.watched[key].subject.keys.stream
            try:
                client = await self._redis.client(self._access, stream)
            except SlotNotServed as error:
                self._failed(error, [key])
            else:
                servers.setdefault(client, []).append(key)
        return servers

    async def _read_from(self, client: redis.asyncio.Redis, keys: list[str]) -> None:
        """Read from one server, in bounded batches."""
        try:
            for start in range(0, len(keys), BATCH):
                await self._read_batch(client, keys[start : start + BATCH])
        except REDIS_ERRORS as error:
            is_one_of_many = self._access.target.mode is Mode.CLUSTER
            self._failed(error, keys if is_one_of_many else list(self.watched))

    async def _read_batch(self, client: redis.asyncio.Redis, keys: list[str]) -> None:
        known = [(key, self.watched[key]) for key in keys if key in self.watched]
        now = time.monotonic()  # when it is asked: what happens meanwhile may not be in the answer
        try:
            for _, watched in known:
                watched.is_due = False
            backlogs = await read_backlogs(
                client,
                [watched.subject.query for _, watched in known],
                before=[w.reading.backlog if w.reading else None for _, w in known],
            )
            await _weigh(client, [watched for _, watched in known], now)
            self._kinds[client] = await detect(client)
            server = await self._servers.report_of(client)
        except REDIS_ERRORS:
            raise
        except Exception as error:
            # A poisoned subject must harm only itself: find it, one by one.
            if len(known) > 1:
                for key, _ in known:
                    await self._read_batch(client, [key])
                return
            self._answered()
            for key, watched in known:
                reading = Reading(None, str(error), time.monotonic(), refused=True)
                self._take(key, watched, reading)
            return
        self._answered()
        for (key, watched), backlog in zip(known, backlogs, strict=True):
            if backlog.error is not None:
                self._redis.doubt(self._access)
                if backlog.error.startswith("MOVED"):
                    continue  # the next round asks the node that has it now
            watched.failures = 0
            reading = Reading(
                backlog,
                None,
                now,
                risk=server.risk,
                stream_bytes=watched.bytes if backlog.exists else None,
                memory_full_in=server.full_in,
            )
            self._take(key, watched, reading)

    def _answered(self) -> None:
        """Comes before a reading is told: whoever is woken by it goes by `answers`."""
        if self._failures:
            logger.info("Redis at %s answers again", self._access.endpoint)
        self._failures = 0
        self.answers = True

    def _failed(self, error: Exception, keys: list[str]) -> None:
        """`keys` could not be read."""
        self._redis.doubt(self._access)
        if len(keys) == len(self.watched):
            self._failures += 1
            self.answers = False
        if all(self.watched[key].failures == 0 for key in keys if key in self.watched):
            words = refusals.describe(error)
            logger.warning("Redis at %s cannot be read: %s", self._access.endpoint, words)
        words, refused = redis_errors.for_people(error), redis_errors.is_refusal(error)
        reading = Reading(None, words, time.monotonic(), refused)
        for key in keys:
            if (watched := self.watched.get(key)) is None:
                continue
            watched.failures += 1
            # One lost round is no outage: what was read a second ago still holds.
            if watched.failures > 1 or watched.reading is None:
                self._take(key, watched, reading)

    def _take(self, key: str, watched: Watched, reading: Reading) -> None:
        watched.reading = reading
        is_answer = watched.asked_at is not None and reading.clock >= watched.asked_at
        if is_answer:
            watched.asked_at = None
        how = urgency(watched.reported, reading, watched.subject.targets)
        last = watched.reported.clock if watched.reported is not None else 0.0
        may_wake = reading.clock - last >= WAKE_INTERVAL_SECONDS
        if is_answer or how is Urgency.NOW or (how is Urgency.LATER and may_wake):
            watched.reported = reading
            self._on_change(key)


async def _weigh(client: redis.asyncio.Redis, known: list[Watched], now: float) -> None:
    """Asks for the memory of streams that were not weighed within the minute, or were not there."""
    due = [one for one in known if now - one.weighed_at >= INTERVAL_SECONDS or one.bytes == 0]
    if not due:
        return
    sizes = await memories_of(client, [one.subject.keys.stream for one in due])
    for one, size in zip(due, sizes, strict=True):
        one.bytes, one.weighed_at = size, now
