"""Writes the status when it means something new, and never more than the API server should bear.

A change of a condition, of observedGeneration or of the orphaned groups is written at once.
Numbers alone go through a bucket for the whole fleet: each write wakes every watcher.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from headrace_operator.kube.api_server import ApiServer
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import STREAM_PIPELINE, Manifest
from headrace_operator.kube.token_bucket import TokenBucket
from headrace_operator.reconcile.memory import Memory

URGENT = frozenset({"conditions", "observedGeneration", "orphanedGroups"})


class StatusWriter:
    def __init__(
        self, api: ApiServer, cache: Cache, numbers: TokenBucket, clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._cache = cache
        self._numbers = numbers
        self._clock = clock

    async def write(self, live: Manifest, wanted: dict[str, Any], memory: Memory) -> float | None:
        """Patch what differs. None: done; else the seconds after which to try again.

        Raises ApiError (409: the resource has changed since it was observed), ApiUnreachable.
        """
        current = live.get("status") or {}
        patch = merge_patch(current, wanted)
        if not patch:
            return None
        urgent = not URGENT.isdisjoint(patch)
        if not urgent and not self._numbers.try_take():
            return self._numbers.seconds_until_free() * random.uniform(1, 2) + 0.1
        metadata = live["metadata"]
        body = {
            "metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
            "status": patch,
        }
        seen = await self._api.merge_patch(
            STREAM_PIPELINE, metadata["namespace"], metadata["name"], body, sub="status"
        )
        memory.status_written_at = self._clock()
        self._cache.put(STREAM_PIPELINE, seen)
        return None


def merge_patch(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that turns ``current`` into ``wanted``; {}: nothing to do."""
    patch: dict[str, Any] = {name: None for name in current if name not in wanted}
    for name, value in wanted.items():
        there = current.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            if inner := merge_patch(there, value):
                patch[name] = inner
        elif value != there or name not in current:
            patch[name] = value
    return patch
