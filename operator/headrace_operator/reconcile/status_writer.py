"""Writes the status when it means something new, and never more than the API server should bear.

News is written at once. Numbers alone go through a bucket for the whole fleet, as each write wakes
every watcher. A status that the API server refuses (a fault of ours) is reduced to its conditions.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from headrace_operator.kube.api_server import ApiError, ApiServer
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import STREAM_PIPELINE, Kind, Manifest
from headrace_operator.kube.token_bucket import TokenBucket
from headrace_operator.plan.observation import Observation
from headrace_operator.reconcile.memory import Memory, StatusWrites

# After a refused status, only its conditions are written for so long.
REFUSED_SECONDS = 60.0
# So many writes of one pipeline within a minute, whatever the news, and from then on one every two
# seconds: two installations of the operator that see it differently must not answer each other
# without end, and news must not be late.
WRITES_PER_MINUTE = 30
# HTTP status of what the schema refuses.
INVALID = 422
# A status is postponed by so much after a pass that changed something, so many times in a row.
POSTPONED_SECONDS = 0.05
MAX_POSTPONED = 3
# Longer than it takes to find out that Redis does not answer.
FIRST_READING_SECONDS = 6.0

logger = logging.getLogger(__name__)


class StatusWriter:
    def __init__(
        self, api: ApiServer, cache: Cache, numbers: TokenBucket, clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._cache = cache
        self._numbers = numbers
        self._clock = clock

    def postponed(
        self, observation: Observation, memory: Memory, *, is_outdated: bool
    ) -> float | None:
        """Seconds to postpone the status, or None to write it now.

        It is postponed after a change that its plan does not know yet or was made in ignorance of
        (`is_outdated`), and before the first reading of the backlog, which wakes the pipeline by
        itself.
        """
        if is_outdated:
            memory.status.postponed += 1
            return POSTPONED_SECONDS if memory.status.postponed <= MAX_POSTPONED else None
        if observation.failures:
            return None
        memory.status.postponed = 0
        unread = observation.backlog is None and observation.redis_error is None
        left = memory.born + FIRST_READING_SECONDS - observation.clock
        return left if unread and left > 0 else None

    async def write(
        self,
        live: Manifest,
        wanted: dict[str, Any],
        memory: StatusWrites,
        *,
        only_figures: bool = False,
    ) -> float | None:
        """Patch what differs. None: done; else the seconds after which to try again.

        Raises ApiError (409: the resource has changed since it was observed), ApiUnreachable.
        """
        wait = _until_next(memory.within_a_minute, self._clock())
        if wait > 0:
            return wait
        current = live.get("status") or {}
        refused_at = memory.refused_at
        if refused_at is None or self._clock() - refused_at > REFUSED_SECONDS:
            patch = merge_patch(current, wanted)
            if patch and only_figures and (wait := self._until_turn(memory)) > 0:
                return wait
            try:
                await self._patch(live, patch, memory)
            except ApiError as error:
                if error.status != INVALID:
                    raise
                logger.error("a status is refused, only its conditions are written: %s", error)
                memory.refused_at = self._clock()
            else:
                memory.refused_at = None
                return None
        urgent = {name: wanted[name] for name in ("observedGeneration", "conditions")}
        await self._patch(live, merge_patch(current, {**current, **urgent}), memory)
        return None

    def _until_turn(self, memory: StatusWrites) -> float:
        """Seconds until these figures have their turn among the fleet's. It is asked for once: a
        fleet that asks again and again looks at its pipelines for nothing."""
        if memory.figures_at is None:
            memory.figures_at = self._clock() + self._numbers.reserve()
        return max(memory.figures_at - self._clock(), 0.0)

    async def _patch(self, live: Manifest, patch: dict[str, Any], memory: StatusWrites) -> None:
        if not patch:
            return
        written = await patch_status(self._api, STREAM_PIPELINE, live, patch)
        memory.written_at, memory.figures_at = self._clock(), None
        memory.within_a_minute.append(memory.written_at)
        self._cache.put(STREAM_PIPELINE, written)


async def patch_status(
    api: ApiServer, kind: Kind, live: Manifest, patch: dict[str, Any]
) -> Manifest:
    """Change the status of this very object as it was seen; what the API server then holds."""
    metadata = live["metadata"]
    body = {
        "metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        "status": patch,
    }
    place = metadata["namespace"], metadata["name"]
    return await api.merge_patch(kind, *place, body, sub="status")


def _until_next(writes: deque[float], now: float) -> float:
    """Seconds until one more write is within the limit."""
    while writes and now - writes[0] >= 60:
        writes.popleft()
    if len(writes) < WRITES_PER_MINUTE:
        return 0.0
    return max(writes[-1] + 60 / WRITES_PER_MINUTE - now, 0.0)


def merge_patch(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that turns `current` into `wanted`; {}: nothing to do."""
    patch: dict[str, Any] = {name: None for name in current if name not in wanted}
    for name, value in wanted.items():
        there = current.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            if inner := merge_patch(there, value):
                patch[name] = inner
        elif value != there or name not in current:
            patch[name] = value
    return patch
