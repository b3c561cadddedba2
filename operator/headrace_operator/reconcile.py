"""One look at one pipeline: observe -> plan -> apply -> status, and when to look again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from headrace_api.v1alpha1 import Reason, StreamPipeline
from headrace_operator import metrics, refusal
from headrace_operator.api_server import ApiError, ApiUnreachable
from headrace_operator.apply import Applier
from headrace_operator.cache import Cache, Key
from headrace_operator.deletion import Deletion
from headrace_operator.events import Events
from headrace_operator.kinds import Manifest
from headrace_operator.lease import LeaseLost
from headrace_operator.memory import Memories, Memory
from headrace_operator.observe import Observer
from headrace_operator.plan import Plan, Settings, plan
from headrace_operator.poller import BacklogPoller
from headrace_operator.redis_access import RedisAccess
from headrace_operator.status import StatusWriter

log = logging.getLogger(__name__)

SOON = 0.05
TERMINATING = 30.0
LOOKS_WITHOUT_STATUS = 3


@dataclass(slots=True)
class Reconciler:
    """Level-triggered: whatever woke it, it looks at everything and does what is missing."""

    cache: Cache
    memories: Memories
    observer: Observer
    applier: Applier
    deletion: Deletion
    status: StatusWriter
    events: Events
    poller: BacklogPoller
    redis: RedisAccess
    settings: Settings
    full_look: float
    clock: Callable[[], float] = time.monotonic

    async def __call__(self, key: Key) -> float | None:
        """Seconds until the next look; raises when the look failed and is to be repeated."""
        started = self.clock()
        result = "failed"
        try:
            delay = await self.reconcile(key)
            result = "ok"
            return delay
        except ApiError as error:
            result = "stale" if error.status == 409 else "failed"
            log.log(
                logging.DEBUG if error.status == 409 else logging.WARNING,
                "%s; looking again",
                error,
                extra={"pipeline": key},
            )
            raise
        except ApiUnreachable as error:
            log.warning("%s; looking again", error, extra={"pipeline": key})
            raise
        except LeaseLost:
            result = "lease-lost"
            raise
        except Exception as error:  # a fault of ours must harm this pipeline only, and be seen
            log.exception("unexpected error", extra={"pipeline": key})
            await self._refuse(key, Reason.INTERNAL_ERROR, f"{type(error).__name__}; see the log")
            raise
        finally:
            metrics.RECONCILES.labels(result).inc()
            metrics.RECONCILE_SECONDS.observe(self.clock() - started)

    async def reconcile(self, key: Key) -> float | None:
        live = self.cache.pipeline(key)
        if live is None:
            await self._gone(key)
            return None
        memory = self.memories.of(key, live["metadata"]["uid"])
        if "deletionTimestamp" in live["metadata"]:
            self.poller.forget(key)
            return await self.deletion.proceed(live, memory)

        try:
            pipeline = StreamPipeline.model_validate(live)
        except ValidationError as error:
            await self._refuse(key, Reason.INVALID_SPEC, refusal.in_words(error))
            return None  # only a change of the resource can help

        live = await self.deletion.settle_finalizer(live, pipeline)
        observation = await self.observer.observe(live, pipeline, memory)
        todo = plan(observation, self.settings)
        outcome = await self.applier.carry_out(todo, observation, memory)
        if outcome.terminating:
            return TERMINATING
        for event in todo.events:
            await self.events.say(live, event)
        if outcome.changed and memory.looks_without_status < LOOKS_WITHOUT_STATUS:
            memory.looks_without_status += 1
            return SOON  # what was just done is not in this plan's status yet
        memory.looks_without_status = 0
        status_again = await self._write_status(live, todo, memory)
        return self._next_look(SOON if outcome.changed else None, status_again, todo.requeue_after)

    async def _write_status(self, live: Manifest, todo: Plan, memory: Memory) -> float | None:
        if todo.status_due is None or todo.status_due > 0:
            return todo.status_due
        return await self.status.write(live, todo.status, memory)

    def _next_look(self, *delays: float | None) -> float:
        full = self.full_look * random.uniform(0.8, 1.0)
        return min(full, *(delay for delay in delays if delay is not None), full)

    async def _gone(self, key: Key) -> None:
        self.poller.forget(key)
        memory = self.memories.last(key)
        if memory is not None:
            await self.deletion.farewell(memory)
            self.memories.forget(key)
        self.redis.forget(key)

    async def _refuse(self, key: Key, reason: Reason, message: str) -> None:
        """Say in the status why nothing is done; what exists is left as it is."""
        live = self.cache.pipeline(key)
        if live is None:
            return
        self.poller.forget(key)
        wanted: dict[str, Any] = refusal.status(live, reason, message)
        try:
            await self.status.write(live, wanted, self.memories.of(key, live["metadata"]["uid"]))
        except (ApiError, ApiUnreachable) as error:
            log.warning("the status could not be written: %s", error, extra={"pipeline": key})
