"""Send events to a stream: `Producer` (async) and `SyncProducer`.

    async with headrace.Producer.from_url("redis://redis:6379", "flights") as producer:
        await producer.send(headrace.Event("flight.landed", flight))

Neither trims the stream: `trim` in the StreamPipeline does, and knows what the groups still need.
A send that fails after the bytes have left may or may not be in the stream; sending it again may
double it. Give events an `id` and the group `deduplicate` where that matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry as SyncRetry

from headrace.event import Event, encode

DEFAULT_BATCH = 500


def _add_command(stream: bytes, event: Event, max_length: int | None) -> list[bytes]:
    trim = [] if max_length is None else [b"MAXLEN", b"~", b"%d" % max_length]
    return [b"XADD", stream, *trim, b"*", *encode(event)]


def _chunks(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    source = iter(events)
    while chunk := list(islice(source, size)):
        yield chunk


class Producer:
    """Sends over a `redis.asyncio` client that the caller owns, or its own (`from_url`)."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        stream: str,
        *,
        batch_size: int = DEFAULT_BATCH,
        unsafe_max_length: int | None = None,
    ) -> None:
        """`unsafe_max_length`: XADD ... MAXLEN ~ n, which removes entries no group has read yet."""
        self._client = client
        self._stream = stream.encode()
        self._batch_size = batch_size
        self._max_length = unsafe_max_length
        self._owns_client = False

    @classmethod
    def from_url(cls, url: str, stream: str, **options: Any) -> Self:
        """Connect by URL; redis-py's own retries are off, because a repeated XADD doubles."""
        client = redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0))
        producer = cls(client, stream, **options)
        producer._owns_client = True
        return producer

    async def send(self, event: Event) -> str:
        """Add one event; its entry id."""
        command = _add_command(self._stream, event, self._max_length)
        reply: bytes | str = await self._client.execute_command(*command)
        return reply if isinstance(reply, str) else reply.decode()

    async def send_many(self, events: Iterable[Event]) -> list[str]:
        """Add events in order, `batch_size` per round trip; their entry ids."""
        ids: list[str] = []
        for chunk in _chunks(events, self._batch_size):
            pipeline = self._client.pipeline(transaction=False)
            for event in chunk:
                pipeline.execute_command(*_add_command(self._stream, event, self._max_length))
            ids += [
                reply if isinstance(reply, str) else reply.decode()
                for reply in await pipeline.execute()
            ]
        return ids

    async def close(self) -> None:
        if self._owns_client:
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()


class SyncProducer:
    """The same over a blocking `redis` client."""

    def __init__(
        self,
        client: redis.Redis,
        stream: str,
        *,
        batch_size: int = DEFAULT_BATCH,
        unsafe_max_length: int | None = None,
    ) -> None:
        """`unsafe_max_length`: XADD ... MAXLEN ~ n, which removes entries no group has read yet."""
        self._client = client
        self._stream = stream.encode()
        self._batch_size = batch_size
        self._max_length = unsafe_max_length
        self._owns_client = False

    @classmethod
    def from_url(cls, url: str, stream: str, **options: Any) -> Self:
        """Connect by URL; redis-py's own retries are off, because a repeated XADD doubles."""
        client = redis.Redis.from_url(url, retry=SyncRetry(NoBackoff(), 0))
        producer = cls(client, stream, **options)
        producer._owns_client = True
        return producer

    def send(self, event: Event) -> str:
        """Add one event; its entry id."""
        command = _add_command(self._stream, event, self._max_length)
        reply: Any = self._client.execute_command(*command)
        return reply if isinstance(reply, str) else str(reply.decode())

    def send_many(self, events: Iterable[Event]) -> list[str]:
        """Add events in order, `batch_size` per round trip; their entry ids."""
        ids: list[str] = []
        for chunk in _chunks(events, self._batch_size):
            pipeline = self._client.pipeline(transaction=False)
            for event in chunk:
                pipeline.execute_command(*_add_command(self._stream, event, self._max_length))
            ids += [
                reply if isinstance(reply, str) else reply.decode() for reply in pipeline.execute()
            ]
        return ids

    def close(self) -> None:
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()
