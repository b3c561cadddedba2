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
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack
from weakref import WeakSet

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, NoScriptError
from redis.retry import Retry as SyncRetry

from headrace.event import Event, encode
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.outages import is_lost, is_passing
from headrace.streams.script import Argument
from headrace.streams.send import REMEMBERED_MS, Batch, chunks, entry_ids, pack, sent_key
from headrace.streams.url import check
from headrace.traceparent import current_traceparent

DEFAULT_BATCH = 500
DEFAULT_RETRY_SECONDS = 30.0
MAX_RETRY_SECONDS = REMEMBERED_MS / 2000
"""Half of the time for which the server remembers a batch; later it would be added again."""


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


class NotSent(Exception):
    """Redis refused events, or was away too long. What is known of them:

    `sent`: entry ids of those that are in the stream, the first ones of the call.
    `unsure`: how many after these may or may not be in the stream; sending them again may double
    them. All that follow are not in the stream.
    """

    def __init__(self, reason: str, sent: list[str], unsure: int) -> None:
        super().__init__(
            f"{reason}; {len(sent)} events are in the stream, {unsure} after them may be"
        )
        self.reason = reason
        self.sent = sent
        self.unsure = unsure


class _Sending:
    """What both producers share: numbers, packing, and the reading of failures."""

    def __init__(
        self,
        stream: str,
        *,
        batch_size: int = DEFAULT_BATCH,
        idempotent: bool = True,
        retry_seconds: float = DEFAULT_RETRY_SECONDS,
        unsafe_max_length: int | None = None,
    ) -> None:
        """See `Options`. Raises ValueError for what cannot be kept."""
        if not 0 <= retry_seconds <= MAX_RETRY_SECONDS:
            raise ValueError(
                f"retry_seconds={retry_seconds!r}: give 0 to {MAX_RETRY_SECONDS:g} seconds;"
                " the server does not remember a batch for longer"
            )
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}: give 1 or more events")
        self._stream = stream
        self._batch_size = batch_size
        self._idempotent = idempotent
        self._retry_seconds = retry_seconds
        self._max_length = unsafe_max_length
        self._owns_client = False
        self._begin()
        _PRODUCERS.add(self)

    def _begin(self) -> None:
        """Take an identity: at birth, and in a forked child, whose batches are its own."""
        self._id = secrets.token_hex(8)
        self._number = 0

    def _batches(self, events: Iterable[Event]) -> Iterator[list[list[bytes]]]:
        trace = current_traceparent()
        return chunks(_encoded(events, trace), self._batch_size)

    def _pack(self, entries: list[list[bytes]]) -> Batch:
        self._number += 1
        return pack(self._stream, self._id, self._number, entries, self._max_length)

    def _plain(self, fields: list[bytes]) -> list[Argument]:
        trim = [] if self._max_length is None else [b"MAXLEN", b"~", b"%d" % self._max_length]
        return [b"XADD", self._stream.encode(), *trim, b"*", *fields]

    @property
    def _forget(self) -> tuple[bytes, str]:
        return b"UNLINK", sent_key(self._stream, self._id)

    def _tries(self, size: int) -> _Tries:
        return _Tries(self._retry_seconds, size)


_PRODUCERS: WeakSet[_Sending] = WeakSet()


def _begin_in_child() -> None:
    """A copied identity would make the server take a child's batch for a repeat of another's."""
    for producer in list(_PRODUCERS):
        producer._begin()


os.register_at_fork(after_in_child=_begin_in_child)


class _NotEncoded(Exception):
    """An event of a call cannot be written; its cause says why."""


class _Tries:
    """The tries of one batch: when to stop, and what is known by then."""

    def __init__(self, seconds: float, size: int) -> None:
        self._until = time.monotonic() + seconds
        self._size = size
        self._wait = 0.05
        self._unsure = 0

    def failed(self, error: BaseException) -> float:
        """Seconds to wait before the same batch is sent again. Raises NotSent."""
        lost = is_lost(error)
        if lost:
            self._unsure = self._size
        passes = lost or is_passing(error)
        if not passes or time.monotonic() + self._wait > self._until:
            raise NotSent(_reason(error), [], self._unsure) from error
        self._wait = min(2.0, self._wait * 2)
        return self._wait


def _encoded(events: Iterable[Event], traceparent: str | None) -> Iterator[list[bytes]]:
    """The fields of each event; within a span that is its cause, unless it names another.

    Raises _NotEncoded.
    """
    for number, event in enumerate(events, 1):
        if traceparent and not event.traceparent:
            event = replace(event, traceparent=traceparent)  # noqa: PLW2901
        try:
            fields = encode(event)
        except Exception as error:
            raise _NotEncoded(f"event {number} cannot be encoded: {error}") from error
        yield fields


def _repeats(pool: Any) -> bool:
    """Whether redis-py would send a command of this pool's connections again by itself."""
    retry = pool.connection_kwargs.get("retry")
    return retry is not None and retry.get_retries() > 0


def _check_repeats(client: Any) -> None:
    pool = getattr(client, "connection_pool", None)
    if pool is not None and _repeats(pool):
        raise ValueError(
            "idempotent=False needs a client that repeats nothing by itself: make it with"
            " retry=Retry(NoBackoff(), 0), or use from_url"
        )


def _reason(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, NoPermissionError):
        text += (
            " (grant EVAL, EVALSHA and the keys headrace:{tag}:sent:*, or use idempotent=False,"
            " where a repeated send may double)"
        )
    if isinstance(error, AuthenticationError):
        text += " (correct the user name or password of the client, or in the URL)"
    return text


def _pipelined(replies: list[Any]) -> list[str]:
    """The ids of a pipeline that was answered. Raises NotSent at the first refusal."""
    bad = next((at for at, one in enumerate(replies) if isinstance(one, BaseException)), None)
    if bad is None:
        return entry_ids(replies)
    later = [at for at, one in enumerate(replies) if not isinstance(one, BaseException)]
    unsure = max([*later, bad - 1]) + 1 - bad
    raise NotSent(_reason(replies[bad]), entry_ids(replies[:bad]), unsure) from replies[bad]


class Producer(_Sending):
    """Sends over a `redis.asyncio` client that the caller owns, or its own (`from_url`).

    Many tasks may send at once; their batches go one after the other.
    """

    def __init__(
        self, client: redis.asyncio.Redis, stream: str, **options: Unpack[Options]
    ) -> None:
        super().__init__(stream, **options)
        if not self._idempotent:
            _check_repeats(client)
        self._client = client

    def _begin(self) -> None:
        super()._begin()
        self._lock = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str, stream: str, **options: Unpack[Options]) -> Self:
        """Connect by URL; redis-py's own retries are off, for the producer decides.

        Raises ValueError for a URL of which a part would be passed over.
        """
        check(url)
        client = redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0))
        producer = cls(client, stream, **options)
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
            except _NotEncoded as error:
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
            return _pipelined(await pipeline.execute(raise_on_error=False))
        except REDIS_ERRORS as error:
            unsure = len(entries) if is_lost(error) else 0
            raise NotSent(_reason(error), [], unsure) from error

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


class SyncProducer(_Sending):
    """The same over a blocking `redis` client; threads may share it."""

    def __init__(self, client: redis.Redis, stream: str, **options: Unpack[Options]) -> None:
        super().__init__(stream, **options)
        if not self._idempotent:
            _check_repeats(client)
        self._client = client

    def _begin(self) -> None:
        super()._begin()
        self._lock = threading.Lock()  # another thread may have held it at the fork

    @classmethod
    def from_url(cls, url: str, stream: str, **options: Unpack[Options]) -> Self:
        """Connect by URL; redis-py's own retries are off, for the producer decides.

        Raises ValueError for a URL of which a part would be passed over.
        """
        check(url)
        client = redis.Redis.from_url(url, retry=SyncRetry(NoBackoff(), 0))
        producer = cls(client, stream, **options)
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
            except _NotEncoded as error:
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
            return _pipelined(pipeline.execute(raise_on_error=False))
        except REDIS_ERRORS as error:
            unsure = len(entries) if is_lost(error) else 0
            raise NotSent(_reason(error), [], unsure) from error

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
