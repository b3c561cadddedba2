"""What both producers share: numbers, packing, and the reading of failures. No calls of Redis."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from redis.exceptions import AuthenticationError, NoPermissionError

from headrace.event import Event, encode
from headrace.streams.outages import has_moved, is_lost, is_passing
from headrace.streams.script import Argument
from headrace.streams.send import REMEMBERED_MS, Batch, chunks, entry_ids, pack, sent_key
from headrace.traceparent import current_traceparent

DEFAULT_BATCH = 500
DEFAULT_RETRY_SECONDS = 30.0
MAX_RETRY_SECONDS = REMEMBERED_MS / 2000
"""Half of the time for which the server remembers a batch; later it would be added again."""


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


class NotEncoded(Exception):
    """An event of a call cannot be written; its cause says why."""


class Sending:
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
        self._follows = False
        """The client looks for the slot's owner at each connection."""
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

    def _tries(self, size: int) -> Tries:
        return Tries(self._retry_seconds, size, follows=self._follows)


_PRODUCERS: WeakSet[Sending] = WeakSet()


def _begin_in_child() -> None:
    """A copied identity would make the server take a child's batch for a repeat of another's."""
    for producer in list(_PRODUCERS):
        producer._begin()


os.register_at_fork(after_in_child=_begin_in_child)


class Tries:
    """The tries of one batch: when to stop, and what is known by then."""

    def __init__(self, seconds: float, size: int, *, follows: bool = False) -> None:
        """`follows`: a new connection reaches the owner of a slot that moved."""
        self._follows = follows
        self._until = time.monotonic() + seconds
        self._size = size
        self._wait = 0.05
        self._unsure = 0

    def failed(self, error: BaseException) -> float:
        """Seconds to wait before the same batch is sent again. Raises NotSent."""
        lost = is_lost(error)
        if lost:
            self._unsure = self._size
        passes = lost or is_passing(error) or (self._follows and has_moved(error))
        if not passes or time.monotonic() + self._wait > self._until:
            raise NotSent(reason_of(error), [], self._unsure) from error
        self._wait = min(2.0, self._wait * 2)
        return self._wait


def _encoded(events: Iterable[Event], traceparent: str | None) -> Iterator[list[bytes]]:
    """The fields of each event; within a span that is its cause, unless it names another.

    Raises NotEncoded.
    """
    for number, event in enumerate(events, 1):
        if traceparent and not event.traceparent:
            event = replace(event, traceparent=traceparent)  # noqa: PLW2901
        try:
            fields = encode(event)
        except Exception as error:
            raise NotEncoded(f"event {number} cannot be encoded: {error}") from error
        yield fields


def _repeats(pool: Any) -> bool:
    """Whether redis-py would send a command of this pool's connections again by itself."""
    retry = pool.connection_kwargs.get("retry")
    return retry is not None and retry.get_retries() > 0


def check_repeats(client: Any) -> None:
    pool = getattr(client, "connection_pool", None)
    if pool is not None and _repeats(pool):
        raise ValueError(
            "idempotent=False needs a client that repeats nothing by itself: make it with"
            " retry=Retry(NoBackoff(), 0), or use from_url"
        )


def reason_of(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, NoPermissionError):
        text += (
            " (grant EVAL, EVALSHA and the keys headrace:{tag}:sent:*, or use idempotent=False,"
            " where a repeated send may double)"
        )
    if isinstance(error, AuthenticationError):
        text += " (correct the user name or password of the client, or in the URL)"
    return text


def pipelined_ids(replies: list[Any]) -> list[str]:
    """The ids of a pipeline that was answered. Raises NotSent at the first refusal."""
    bad = next((at for at, one in enumerate(replies) if isinstance(one, BaseException)), None)
    if bad is None:
        return entry_ids(replies)
    later = [at for at, one in enumerate(replies) if not isinstance(one, BaseException)]
    unsure = max([*later, bad - 1]) + 1 - bad
    raise NotSent(reason_of(replies[bad]), entry_ids(replies[:bad]), unsure) from replies[bad]
