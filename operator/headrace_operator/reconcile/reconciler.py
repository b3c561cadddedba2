"""One pass over one pipeline: connect -> observe -> plan -> apply -> status; and when to repeat."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from headrace_api.v1alpha1 import Reason, StreamPipeline, StreamPipelineSpec
from headrace_operator import metrics
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiUnreachable
from headrace_operator.kube.cache import Cache, Key, key_of
from headrace_operator.kube.kinds import DEPLOYMENT, Manifest
from headrace_operator.kube.leader_election import LeaseLost
from headrace_operator.plan import Event, Plan, PlanSettings, RenderedPipeline, plan
from headrace_operator.plan.observation import Observation
from headrace_operator.plan.place import NoPlace, with_redis
from headrace_operator.reconcile import invalid
from headrace_operator.reconcile.apply import Applier, ApplyResult
from headrace_operator.reconcile.connect import LOOK_FOR_MISSING_SECONDS, Connector
from headrace_operator.reconcile.deletion import Deletion
from headrace_operator.reconcile.event_recorder import Events
from headrace_operator.reconcile.finalizer import Finalizer
from headrace_operator.reconcile.memory import Memories, Memory, Planned
from headrace_operator.reconcile.observe import Observer
from headrace_operator.reconcile.rollouts import Place, Rollouts
from headrace_operator.reconcile.status_writer import StatusWriter

logger = logging.getLogger(__name__)

SOON_SECONDS = 0.05
TERMINATING_SECONDS = 30.0
# After a plan a pipeline rests this many times as long as the plan took, at most a second: one that
# is as large as the API server takes must not keep the one event loop from the others.
REST_FACTOR = 50
LONGEST_REST_SECONDS = 1.0
# A pipeline that was planned so short a time ago will be planned again soon.
BUSY_SECONDS = 20.0


@dataclass(slots=True)
class Reconciler:
    """Level-triggered: whatever woke it, it looks at everything and does what is missing."""

    cache: Cache
    memories: Memories
    finalizer: Finalizer
    connector: Connector
    observer: Observer
    applier: Applier
    deletion: Deletion
    status: StatusWriter
    events: Events
    poller: BacklogPoller
    redis: RedisAccess
    rollouts: Rollouts
    settings: PlanSettings
    full_look: float
    clock: Callable[[], float] = time.monotonic

    async def __call__(self, key: Key) -> float | None:
        """Seconds until the next look; raises when the look failed and is to be repeated."""
        started = self.clock()
        result = "failed"
        try:
            delay = self._rest(key) or await self.reconcile(key)
            result = "ok"
            return delay
        except ApiError as error:
            result = "stale" if error.is_conflict else "failed"
            logger.log(
                logging.DEBUG if error.is_conflict else logging.WARNING,
                "%s; looking again",
                error,
                extra={"pipeline": key},
            )
            raise
        except ApiUnreachable as error:
            logger.warning("%s; looking again", error, extra={"pipeline": key})
            raise
        except LeaseLost:
            result = "lease-lost"
            raise
        except Exception as error:  # a fault of ours must harm this pipeline only, and be seen
            logger.exception("unexpected error", extra={"pipeline": key})
            await self._tell_fault(key, error)
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
            memory.planned.workers = ()  # nothing is decided for it any more, so nothing is shown
            self.rollouts.forget(key)
            return await self._delete(key, live, memory)

        try:
            pipeline = _parsed(live, memory.planned)
        except ValidationError as error:
            # Once it is told, only a change of the resource can help.
            return await self._refuse(key, Reason.INVALID_SPEC, invalid.describe(error))

        live = await self.finalizer.settle(live, pipeline)
        try:
            redis = await self.connector.connect(pipeline, memory)
        except NoPlace as error:
            await self._refuse(key, error.reason, str(error))
            return LOOK_FOR_MISSING_SECONDS
        written = pipeline.spec
        pipeline = with_redis(pipeline, redis, memory.planned.placed)
        rendered = self._rendered(pipeline, written, memory.planned)
        observation = await self.observer.observe(live, pipeline, rendered, memory)
        began = time.thread_time()
        todo = plan(observation, self.settings, rendered)
        rest = REST_FACTOR * (time.thread_time() - began)
        memory.planned.rests_until = self.clock() + min(rest, LONGEST_REST_SECONDS)
        live, todo = await self._note_orphans(live, todo, memory)
        memory.planned.workers = todo.workers
        memory.planned.history = todo.history
        self._ask_again(key, todo, memory.planned)
        self._observe_rollouts(key, observation)
        outcome = await self.applier.carry_out(todo, observation, memory)
        await self._tell_rescales(live, todo, outcome, memory)
        if outcome.terminating:
            return TERMINATING_SECONDS
        too_early = outcome.changed or outcome.saw_too_early or todo.asks_again
        postponed = self.status.postponed(observation, memory, is_outdated=too_early)
        status_again = postponed or await self._write_status(live, todo, memory)
        if outcome.errors:
            raise outcome.worst_error  # the status tells of it by now, and the key backs off
        soon = SOON_SECONDS if outcome.changed else None
        connect_again = max(memory.connection.refresh_at - self.clock(), SOON_SECONDS)
        return self._requeue_after(soon, status_again, todo.requeue_after, connect_again)

    def _ask_again(self, key: Key, todo: Plan, planned: Planned) -> None:
        """The answer wakes the key; nobody waits for it here, as Redis may be stuck."""
        if not todo.asks_again:
            planned.asked_at = None
        elif planned.asked_at is None:
            planned.asked_at = self.poller.ask(key)

    def _observe_rollouts(self, key: Key, observation: Observation) -> None:
        for ref, child in observation.children.items():
            if ref.kind == DEPLOYMENT.kind:
                self.rollouts.observe(Place(key, ref.name), child)

    def _rest(self, key: Key) -> float:
        """Seconds until the pipeline may be planned again."""
        memory = self.memories.last(key)
        return max(memory.planned.rests_until - self.clock(), 0.0) if memory is not None else 0.0

    async def _delete(self, key: Key, live: Manifest, memory: Memory) -> float | None:
        waiting = await self.deletion.proceed(live, memory)
        if waiting is None:
            self.poller.forget(key)
            return None
        status = invalid.deleting(live, waiting.message)
        if status["conditions"] != (live.get("status") or {}).get("conditions"):
            await self.status.write(live, status, memory.status)
            event = Event("Normal", str(Reason.DELETING), waiting.message)
            await self.events.say(live, event)
        return waiting.seconds

    def _rendered(
        self, pipeline: StreamPipeline, written: StreamPipelineSpec, planned: Planned
    ) -> RenderedPipeline:
        """Kept for as long as the pipeline is busy: 30 KiB each are too much for a fleet that
        sleeps."""
        rendered = planned.rendered
        if rendered is None or not rendered.is_of(pipeline, self.settings):
            rendered = RenderedPipeline(pipeline, self.settings)
        busy = self.clock() - planned.planned_at < BUSY_SECONDS
        planned.planned_at = self.clock()
        planned.rendered = rendered if busy else None
        planned.spec = (pipeline.metadata.generation, written) if busy else None
        planned.placed = pipeline.spec if busy else None
        return rendered

    async def _note_orphans(
        self, live: Manifest, todo: Plan, memory: Memory
    ) -> tuple[Manifest, Plan]:
        """A group that is kept is in the status before its Deployment, the last trace, goes. While
        the status cannot be written those Deployments stay, and all else is done."""
        known = (live.get("status") or {}).get("orphanedGroups")
        if not todo.deletes or todo.status.get("orphanedGroups") == known:
            return live, todo
        try:
            again = await self.status.write(live, todo.status, memory.status)
            is_noted = again is None and memory.status.refused_at is None
        except ApiError as error:
            if error.is_conflict:
                raise
            is_noted = False
        if not is_noted:
            kept = tuple(one for one in todo.deletes if one.ref.kind != "Deployment")
            return live, replace(todo, deletes=kept)
        metadata = live["metadata"]
        key = key_of(metadata["namespace"], metadata["name"])
        return self.cache.pipeline(key) or live, todo

    async def _write_status(self, live: Manifest, todo: Plan, memory: Memory) -> float | None:
        if todo.status_due is None or todo.status_due > 0:
            return todo.status_due
        again = await self.status.write(
            live, todo.status, memory.status, only_figures=todo.only_figures
        )
        if again is None:
            for event in todo.events:
                await self.events.say(live, event)
        return again

    async def _tell_rescales(
        self, live: Manifest, todo: Plan, outcome: ApplyResult, memory: Memory
    ) -> None:
        for rescale in todo.rescales:
            if rescale.child in outcome.applied:
                memory.planned.rescales[rescale.group, rescale.cause, rescale.direction] += 1
                await self.events.say(live, rescale.event)

    def _requeue_after(self, *delays: float | None) -> float:
        full = self.full_look * random.uniform(0.8, 1.0)
        return min([full, *(delay for delay in delays if delay is not None)])

    async def _gone(self, key: Key) -> None:
        self.poller.forget(key)
        self.rollouts.forget(key)
        memory = self.memories.last(key)
        if memory is not None:
            self.deletion.release_claims(memory.connection)
            self.memories.forget(key)
        self.redis.forget(key)

    def _unwatch(self, key: Key, memory: Memory) -> None:
        """Nothing is decided for this pipeline any more, so nothing is shown of it either."""
        self.poller.forget(key)
        memory.planned.workers = ()

    async def _refuse(self, key: Key, reason: Reason, message: str) -> float | None:
        """Say in the status why nothing is done; what exists is left as it is.

        Seconds after which to say it again, as it is not written yet. Raises ApiError,
        ApiUnreachable.
        """
        live = self.cache.pipeline(key)
        if live is None:
            return None
        memory = self.memories.of(key, live["metadata"]["uid"])
        self._unwatch(key, memory)
        wanted: dict[str, Any] = invalid.status(live, reason, message)
        return await self.status.write(live, wanted, memory.status)

    async def _tell_fault(self, key: Key, fault: Exception) -> None:
        try:
            await self._refuse(key, Reason.INTERNAL_ERROR, f"{type(fault).__name__}; see the log")
        except (ApiError, ApiUnreachable) as error:
            logger.warning("the status could not be written: %s", error, extra={"pipeline": key})


def _parsed(live: Manifest, planned: Planned) -> StreamPipeline:
    """Raises ValidationError. A busy pipeline's spec is parsed once per generation."""
    generation = live["metadata"].get("generation", 0)
    if planned.spec is not None and planned.spec[0] == generation:
        return StreamPipeline.model_validate({**live, "spec": planned.spec[1]})
    return StreamPipeline.model_validate(live)
