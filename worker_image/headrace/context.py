"""`Context`: what a handler may know and do besides reading its event."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.entry import Entry
from headrace.event import TRACEPARENT, Event, encode
from headrace.logs import Fields
from headrace.streams.entries import Source
from headrace.streams.settlement import Output

if TYPE_CHECKING:
    from redis import Redis as BlockingRedis
    from redis.asyncio import Redis


class UndeclaredOutput(Exception):
    """`ctx.emit` names a stream that the group's `outputs` do not list."""


@dataclass(slots=True)
class HandlerEnvironment:
    """What all handlers of one worker share."""

    stream: str
    group: str
    consumer: str
    pipeline: str = ""
    redis: Any = None
    blocking_redis: Any = None
    outputs: dict[str, int | None] = field(default_factory=dict)
    """Declared output streams, each with its longest length."""
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("headrace.handler"))
    shutting_down: bool = False


class Context:
    """The second argument of a handler."""

    __slots__ = ("_entry", "_env")

    def __init__(self, env: HandlerEnvironment, entry: Entry) -> None:
        self._env = env
        self._entry = entry

    @property
    def id(self) -> str:
        """The entry's id in the stream, `<milliseconds>-<sequence>`."""
        return self._entry.id.decode()

    @property
    def stream(self) -> str:
        return self._env.stream

    @property
    def group(self) -> str:
        """Redis's name of the consumer group."""
        return self._env.group

    @property
    def consumer(self) -> str:
        return self._env.consumer

    @property
    def attempt(self) -> int:
        """1 at the first try; failures and crashes of earlier tries add to it, waits do not."""
        return self._entry.record.failures + self._entry.record.crashes + 1

    @property
    def delivery_count(self) -> int:
        """Redis's own delivery count of the entry."""
        return self._entry.delivery_count

    @property
    def replayed(self) -> bool:
        """True when the entry came back from the dead letters."""
        return self._entry.source is Source.REPLAY

    @property
    def fields(self) -> dict[bytes, bytes]:
        """All fields of the entry, as they are in the stream."""
        return self._entry.field_map()

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that the producer sent along."""
        value = self._entry.field(TRACEPARENT)
        return value.decode("ascii", "replace") if value is not None else None

    @property
    def lost(self) -> bool:
        """True once this handler's result will be discarded: another consumer took the entry, or
        the handler ran longer than its time-out. Long loops ask it, above all those in threads,
        which nothing can stop from outside."""
        return self._entry.lost

    @property
    def shutting_down(self) -> bool:
        """True after SIGTERM: long handlers may stop early and raise Retry(after=0)."""
        return self._env.shutting_down

    @property
    def redis(self) -> Redis:
        """An asyncio client of the pipeline's Redis, for the handler's own keys; answers are bytes.

        In a Cluster it is a `redis.asyncio.RedisCluster`. A sync handler uses `blocking_redis`
        instead.
        """
        return self._env.redis  # type: ignore[no-any-return]

    @property
    def blocking_redis(self) -> BlockingRedis:
        """The same for sync handlers: a blocking client that all their threads share."""
        return self._env.blocking_redis  # type: ignore[no-any-return]

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry the stream, the group, the entry's id and the attempt."""
        about = {"stream": self.stream, "group": self.group, "id": self.id, "attempt": self.attempt}
        return Fields(self._env.logger, about)

    def emit(self, stream: str, event: Event) -> None:
        """Add an event to an output stream, written in the commit that acknowledges this entry.

        Exactly once on one Redis history when the stream shares the source's hash slot, at least
        once otherwise. Nothing is written when the handler fails or raises Retry or Reject. The
        event carries on the trace of this entry unless it has a `traceparent` of its own.
        Raises UndeclaredOutput when the group's `outputs` do not name the stream.
        """
        declared, entry = self._env.outputs, self._entry
        if stream not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise UndeclaredOutput(
                f"stream {stream!r} is no output of this group (declared: {known}); "
                "add it to spec.groups[].outputs"
            )
        fields = encode(event)
        if event.traceparent is None and (trace := entry.field(TRACEPARENT)) is not None:
            fields += [TRACEPARENT, trace]
        if entry.outputs is None:
            entry.outputs = []
        entry.outputs.append(Output(stream, fields, declared[stream]))


class BatchContext:
    """The second argument of a batch handler: one Context per event, in order."""

    __slots__ = ("_contexts", "_env")

    def __init__(
        self, env: HandlerEnvironment, entries: list[Entry], kind: type[Context] = Context
    ) -> None:
        self._env = env
        self._contexts = [kind(env, entry) for entry in entries]

    def __len__(self) -> int:
        return len(self._contexts)

    def __getitem__(self, index: int) -> Context:
        return self._contexts[index]

    def __iter__(self) -> Iterator[Context]:
        return iter(self._contexts)

    @property
    def shutting_down(self) -> bool:
        return self._env.shutting_down

    @property
    def redis(self) -> Redis:
        return self._env.redis  # type: ignore[no-any-return]

    @property
    def blocking_redis(self) -> BlockingRedis:
        return self._env.blocking_redis  # type: ignore[no-any-return]

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry the stream, the group and the batch's size."""
        env = self._env
        about = {"stream": env.stream, "group": env.group, "batch": len(self)}
        return Fields(env.logger, about)
