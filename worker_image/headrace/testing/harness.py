"""`Harness`: feed events to an app's handlers, see what becomes of them, move the clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from headrace.app import App
from headrace.context import HandlerEnvironment
from headrace.entry import Entry
from headrace.event import Event, encode, field_map
from headrace.testing.memory import Group
from headrace.testing.process import Crash, Process
from headrace.testing.result import Attempt, DeadLetter, Result, emitted
from headrace.worker.settling.decision import ACK, Decision, Kind, Policy
from headrace_api.manifest_file import name_of, read_manifests
from headrace_api.v1alpha1 import Delivery, StreamPipeline
from headrace_api.validation import Severity, problems
from headrace_api.worker_config import first_wrong

__all__ = ["Crash", "Harness"]

MAX_STEPS = 10_000


class Harness:
    """One group's handlers over a stream in memory. Use it with `async with`.

    `outputs`: streams that handlers may emit to. `delivery`: as in the manifest, for example
    `{"maxRetries": 1, "minIdle": "10s"}`. `redis`, `blocking_redis`: what `ctx.redis` and
    `ctx.blocking_redis` shall be; without them handlers that ask for one fail.
    """

    def __init__(
        self,
        app: App,
        *,
        outputs: Iterable[str] = (),
        delivery: Delivery | Mapping[str, Any] | None = None,
        concurrency: int = 16,
        redis: Any = None,
        blocking_redis: Any = None,
        stream: str = "stream",
        group: str = "group",
    ) -> None:
        self._app = app
        settings = delivery if isinstance(delivery, Delivery) else _delivery(delivery or {})
        self._min_idle_ms = round(settings.min_idle.total_seconds() * 1000)
        self._handler_timeout = settings.handler_timeout.total_seconds()
        self._policy = Policy.of(settings)
        self._deduplicate = settings.deduplicate
        self._concurrency = concurrency
        self._env = HandlerEnvironment(
            stream=stream,
            group=group,
            consumer="",
            redis=redis or _NoRedis("redis"),
            blocking_redis=blocking_redis or _NoRedis("blocking_redis"),
            outputs=dict.fromkeys(outputs),
            logger=logging.getLogger("headrace.handler"),
        )
        self._group = Group(round(time.time() * 1000))
        self._results: dict[bytes, Result] = {}
        self._lifespan = AsyncExitStack()
        self._process: Process | None = None
        self._started = 0

    @classmethod
    def from_manifest(cls, path: Path | str, app: App, *, group: str, **options: Any) -> Self:
        """Delivery, outputs, concurrency and names as the StreamPipeline in `path` says.

        Documents of other kinds in the file are passed over. Raises ValueError with a sentence.
        """
        manifests = read_manifests(Path(path))
        for manifest in manifests:
            wrong = [one for one in problems(manifest) if one.severity is Severity.ERROR]
            if wrong:
                raise ValueError(f"{path}: {name_of(manifest)}: {wrong[0]}")
        pipelines = [StreamPipeline.model_validate(one) for one in manifests]
        for pipeline, one in ((each, one) for each in pipelines for one in each.spec.groups):
            if one.name == group:
                declared = {
                    "outputs": [output.stream for output in one.outputs],
                    "delivery": one.delivery,
                    "concurrency": one.worker.concurrency,
                    "stream": pipeline.spec.stream.name,
                    "group": one.consumer_group_name,
                }
                return cls(app, **{**declared, **options})
        names = ", ".join(one.name for each in pipelines for one in each.spec.groups)
        raise ValueError(f"{path} has no group {group!r}; it has {names}")

    async def __aenter__(self) -> Self:
        await self._lifespan.enter_async_context(self._app.running())
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._running.end()
        await self._lifespan.aclose()

    async def feed(self, event: Event) -> Result:
        """Deliver one event, and return when nothing more happens until the clock moves."""
        return (await self.feed_many([event]))[0]

    async def feed_many(self, events: Iterable[Event]) -> list[Result]:
        """Deliver events together, as one read would."""
        return await self._feed([encode(event) for event in events])

    async def feed_fields(self, fields: Mapping[bytes, bytes]) -> Result:
        """Deliver an entry with just these fields: what others may write into the stream."""
        flat = [part for pair in fields.items() for part in pair]
        return (await self._feed([flat]))[0]

    async def advance(self, seconds: float) -> None:
        """Move the clock on: retries fall due, and what a dead worker held is taken over."""
        until = self._group.clock_ms + round(seconds * 1000)
        await self._take_until(until)
        self._group.clock_ms = until

    async def finish(self) -> float:
        """Move the clock on until every event is settled; the seconds that took.

        Raises RuntimeError when a handler goes on raising `Retry(after=...)`.
        """
        started = self._group.clock_ms
        await self._take_until(None)
        return (self._group.clock_ms - started) / 1000

    def crash_before_commit(self) -> None:
        """Let the worker die after its next handlers have run, before their ends are written.

        The events come again `minIdle` later: effects that are not idempotent show now. To die in
        the middle of a handler, raise `Crash` there.
        """
        self._running.dies_before_commit = True

    def begin_shutdown(self) -> None:
        """Make `ctx.shutting_down` true."""
        self._env.shutting_down = True

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        return [
            DeadLetter(
                one.id.decode(),
                one.outcome.error,
                one.outcome.error_type,
                one.attempts,
                one.crashes,
                field_map(list(one.outcome.fields)),
            )
            for one in self._group.dead
        ]

    @property
    def emitted(self) -> list[Any]:
        """Everything that reached an output, by event in the order in which they were fed."""
        return [one for result in self._results.values() for one in result.emitted]

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError("the harness has not started: use `async with Harness(app)`")
        return self._process

    def _start(self) -> None:
        self._started += 1
        self._env.consumer = f"harness-{self._started}"
        self._process = Process(
            self._app,
            self._group,
            self._env,
            self._policy,
            handler_timeout=self._handler_timeout,
            concurrency=self._concurrency,
            deduplicate=self._deduplicate,
            on_end=self._ended,
        )

    def _next_ms(self) -> int | None:
        return self._group.next_ms(self._running.consumer, self._min_idle_ms)

    async def _feed(self, entries: list[list[bytes]]) -> list[Result]:
        consumer = self._running.consumer
        ids = [self._group.add(fields) for fields in entries]
        results = [Result(id_.decode()) for id_ in ids]
        self._results.update(zip(ids, results, strict=True))
        await self._run([Entry(id_, fields) for id_, fields in self._group.read(consumer)])
        return results

    async def _take_until(self, until_ms: int | None) -> None:
        """Take what falls due up to then, moving the clock to each."""
        for _ in range(MAX_STEPS):
            next_ms = self._next_ms()
            if next_ms is None or (until_ms is not None and next_ms > until_ms):
                return
            self._group.clock_ms = max(self._group.clock_ms, next_ms)
            await self._take()
        raise RuntimeError(
            f"events still wait after {MAX_STEPS} tries: a handler raises Retry(after=...)"
            " again and again, which no maxRetries ends; use advance(), or counts=True"
        )

    async def _take(self) -> None:
        taken = self._group.take(self._running.consumer, self._min_idle_ms)
        await self._run([Entry.claimed(one) for one in taken])

    async def _run(self, entries: list[Entry]) -> None:
        process = self._running
        await process.run(entries)
        if process.dead.is_set():
            await process.end()
            for entry in process.holding.snapshot():
                self._results[entry.id].attempts.append(Attempt("crashed"))
            self._start()

    def _ended(self, entry: Entry, decision: Decision | None, refused: bool) -> None:
        decision = decision or ACK
        result = self._results[entry.id]
        if refused:
            result.attempts.append(Attempt("lost"))
            return
        outcome = decision.kind.value
        result.attempts.append(
            Attempt(outcome, decision.error, decision.error_type, decision.delay)
        )
        if decision.kind in (Kind.ACK, Kind.SKIP):
            result.emitted += [emitted(one.stream, one.fields) for one in entry.outputs or ()]


def _delivery(fields: Mapping[str, Any]) -> Delivery:
    try:
        return Delivery.model_validate(fields)
    except ValidationError as error:
        raise ValueError(f"delivery is wrong{first_wrong(error)}") from None


class _NoRedis:
    """Stands where a client would: says what to do when a handler asks for one."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, wanted: str) -> Any:
        raise RuntimeError(
            f"the handler uses ctx.{self._name}.{wanted}, and the harness has no Redis: "
            f"give it one with Harness(app, {self._name}=client)"
        )
