"""Send events to a stream: `Producer` (async) and `SyncProducer`.

    async with headrace.Producer.from_url("redis://redis:6379", "flights") as producer:
        await producer.send(headrace.Event("flight.landed", flight))

A batch whose reply was lost is sent again and doubles nothing: a script remembers each producer's
last batch beside the stream (rights: EVAL, EVALSHA and keys `headrace:{tag}:sent:*`). Where that is
not allowed, `idempotent=False` sends plain XADDs and never sends one again by itself.
A producer made before a fork goes on in each child as a producer of its own.
Either way a send that did not get through raises `NotSent`, which says what is in the stream, what
may be, and what is not. Neither producer trims the stream: `trim` in the StreamPipeline does, and
knows what the groups still need.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry as SyncRetry

from headrace.event import Event
from headrace.sending import NotEncoded, NotSent, Sending, check_repeats, pipelined_ids, reason_of
from headrace.streams import topology_url
from headrace.streams.connect import REDIS_ERRORS, connect, connect_blocking
from headrace.streams.outages import is_lost
from headrace.streams.send import entry_ids
from headrace.streams.url import check

CLIENT_NAME = "headrace-producer"

__all__ = ["NotSent", "Options", "Producer", "SyncProducer"]


class Options(TypedDict, total=False):
    """What both producers take beside a client and a stream."""

    batch_size: int
    """Events per round trip, at most. Default: 500."""
    idempotent: bool
    """Whether a batch may be sent again without doubling (needs EVAL). Default: True."""
    retry_seconds: float
    """How long a batch is sent again while Redis is away, at most 1,800. Default: 30."""
    unsafe_max_length: int | None
    """XADD ... MAXLEN ~ n, which removes entries that no group has read yet. Default: never."""


class Producer(Sending):
    """Sends over a `redis.asyncio` client that the caller owns, or its own (`from_url`).

    Many tasks may send at once; their batches go one after the other.
    """

    def __init__(
        self, client: redis.asyncio.Redis, stream: str, **options: Unpack[Options]
    ) -> None:
        super().__init__(stream, **options)
        if not self._idempotent:
            check_repeats(client)
        self._client = client

    def _begin(self) -> None:
        super()._begin()
        self._lock = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str, stream: str, **options: Unpack[Options]) -> Self:
        """Connect by URL: of one server, of sentinels or of a Cluster (`streams/topology_url.py`
        has the forms). redis-py's own retries are off, for the producer decides.

        Raises ValueError for a URL of which a part would be passed over.
        """
        if (place := topology_url.parse(url)) is not None:
            client = connect(*place, role="admin", key=stream, client_name=CLIENT_NAME)
        else:
            check(url)
            client = redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0))
        producer = cls(client, stream, **options)
        producer._follows = place is not None
        producer._owns_client = True
        return producer

    async def send(self, event: Event) -> str:
        """Add one event; its entry id. Raises NotSent."""
        return (await self.send_many([event]))[0]

    async def send_many(self, events: Iterable[Event]) -> list[str]:
        """Add events in order, `batch_size` per round trip; their entry ids. Raises NotSent."""
        ids: list[str] = []
        async with self._lock:
            try:
                for entries in self._batches(events):
                    ids += await (self._send if self._idempotent else self._send_plain)(entries)
            except NotSent as error:
                raise NotSent(error.reason, ids + error.sent, error.unsure) from error
            except NotEncoded as error:
                raise NotSent(str(error), ids, 0) from error.__cause__
        return ids

    async def _send(self, entries: list[list[bytes]]) -> list[str]:
        batch, tries = self._pack(entries), self._tries(len(entries))
        while True:
            try:
                try:
                    return entry_ids(await self._client.execute_command(*batch.command))
                except NoScriptError:
                    return entry_ids(await self._client.execute_command(*batch.command_with_text))
            except REDIS_ERRORS as error:
                wait = tries.failed(error)
                # Behind a stable address a new connection may reach the new primary.
                await self._client.connection_pool.disconnect(inuse_connections=False)
                await asyncio.sleep(wait)

    async def _send_plain(self, entries: list[list[bytes]]) -> list[str]:
        pipeline = self._client.pipeline(transaction=False)
        for fields in entries:
            pipeline.execute_command(*self._plain(fields))
        try:
            return pipelined_ids(await pipeline.execute(raise_on_error=False))
        except REDIS_ERRORS as error:
            unsure = len(entries) if is_lost(error) else 0
            raise NotSent(reason_of(error), [], unsure) from error

    async def close(self) -> None:
        """Forget this producer's last batch; close the client if it is the producer's own."""
        if self._number:
            with contextlib.suppress(*REDIS_ERRORS):  # else it expires
                await self._client.execute_command(*self._forget)
        if self._owns_client:
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()


class SyncProducer(Sending):
    """The same over a blocking `redis` client; threads may share it."""

    def __init__(self, client: redis.Redis, stream: str, **options: Unpack[Options]) -> None:
        super().__init__(stream, **options)
        if not self._idempotent:
            check_repeats(client)
        self._client = client

    def _begin(self) -> None:
        super()._begin()
        self._lock = threading.Lock()  # another thread may have held it at the fork

    @classmethod
    def from_url(cls, url: str, stream: str, **options: Unpack[Options]) -> Self:
        """Connect by URL: of one server, of sentinels or of a Cluster (`streams/topology_url.py`
        has the forms). redis-py's own retries are off, for the producer decides.

        Raises ValueError for a URL of which a part would be passed over.
        """
        if (place := topology_url.parse(url)) is not None:
            blocking = connect_blocking(*place, key=stream, client_name=CLIENT_NAME)
            assert isinstance(blocking, redis.Redis)
            client = blocking
        else:
            check(url)
            client = redis.Redis.from_url(url, retry=SyncRetry(NoBackoff(), 0))
        producer = cls(client, stream, **options)
        producer._follows = place is not None
        producer._owns_client = True
        return producer

    def send(self, event: Event) -> str:
        """Add one event; its entry id. Raises NotSent."""
        return self.send_many([event])[0]

    def send_many(self, events: Iterable[Event]) -> list[str]:
        """Add events in order, `batch_size` per round trip; their entry ids. Raises NotSent."""
        ids: list[str] = []
        with self._lock:
            try:
                for entries in self._batches(events):
                    ids += (self._send if self._idempotent else self._send_plain)(entries)
            except NotSent as error:
                raise NotSent(error.reason, ids + error.sent, error.unsure) from error
            except NotEncoded as error:
                raise NotSent(str(error), ids, 0) from error.__cause__
        return ids

    def _send(self, entries: list[list[bytes]]) -> list[str]:
        batch, tries = self._pack(entries), self._tries(len(entries))
        reply: Any
        while True:
            try:
                try:
                    reply = self._client.execute_command(*batch.command)
                except NoScriptError:
                    reply = self._client.execute_command(*batch.command_with_text)
                return entry_ids(reply)
            except REDIS_ERRORS as error:
                wait = tries.failed(error)
                # Behind a stable address a new connection may reach the new primary.
                self._client.connection_pool.disconnect(inuse_connections=False)
                time.sleep(wait)

    def _send_plain(self, entries: list[list[bytes]]) -> list[str]:
        pipeline = self._client.pipeline(transaction=False)
        for fields in entries:
            pipeline.execute_command(*self._plain(fields))
        try:
            return pipelined_ids(pipeline.execute(raise_on_error=False))
        except REDIS_ERRORS as error:
            unsure = len(entries) if is_lost(error) else 0
            raise NotSent(reason_of(error), [], unsure) from error

    def close(self) -> None:
        """Forget this producer's last batch; close the client if it is the producer's own."""
        if self._number:
            with contextlib.suppress(*REDIS_ERRORS):  # else it expires
                self._client.execute_command(*self._forget)
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()
