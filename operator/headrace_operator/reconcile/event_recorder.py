"""Kubernetes Events for people, as `kubectl describe` shows them.

A repeated message increments the count of its first Event. Per pipeline and reason: a burst of 10,
then one a minute; the next one says how many were left out.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.kinds import EVENT, Manifest
from headrace_operator.kube.micro_time import micro_time
from headrace_operator.kube.token_bucket import TokenBucket
from headrace_operator.plan import Event

logger = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")

# Between two writes of one Event's count.
COUNT_AGAIN_SECONDS = 300.0
# The API server keeps an Event for an hour.
FORGOTTEN_SECONDS = 3600.0
# Of one pipeline and reason.
AT_ONCE = 10
# Until one more may be written.
REFILL_SECONDS = 60.0
MAX_REMEMBERED = 10_000
# The API server's limit is 1 KiB.
MAX_NOTE_BYTES = 1000


@dataclass(slots=True)
class _Written:
    """An Event that was written; `count`: how often there was cause to say it."""

    name: str
    written_at: float
    count: int = 1


@dataclass(slots=True)
class _Quota:
    left: float
    at: float
    left_out: int = 0

    def take(self, now: float) -> bool:
        self.left = min(self.left + (now - self.at) / REFILL_SECONDS, AT_ONCE)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Events:
    """Losing an Event loses nothing: the status holds the state."""

    def __init__(self, api: ApiServer, identity: str, clock: Callable[[], float]) -> None:
        self._api = api
        self._identity = identity
        self._clock = clock
        self._written: OrderedDict[tuple[str, str, str], _Written] = OrderedDict()
        self._quotas: OrderedDict[tuple[str, str], _Quota] = OrderedDict()
        self._bucket = TokenBucket(rate=5, burst=50)

    async def say(self, pipeline: Manifest, event: Event) -> None:
        uid, now = pipeline["metadata"]["uid"], self._clock()
        words = (uid, event.reason, event.message)
        try:
            written = self._written.get(words)
            if written is not None and now - written.written_at < FORGOTTEN_SECONDS:
                await self._count(pipeline, written, now)
            elif self._may_say(uid, event.reason, now):
                name = await self._write(pipeline, event)
                _remember(self._written, words, _Written(name, now))
        except (ApiError, ApiUnreachable) as error:
            self._written.pop(words, None)  # it may be gone
            logger.info("an Event was not delivered: %s", error)

    def _may_say(self, uid: str, reason: str, now: float) -> bool:
        quota = self._quotas.get((uid, reason)) or _Quota(AT_ONCE, now)
        _remember(self._quotas, (uid, reason), quota)
        if quota.take(now) and self._bucket.try_take():
            return True
        quota.left_out += 1
        return False

    async def _count(self, pipeline: Manifest, written: _Written, now: float) -> None:
        written.count += 1
        if now - written.written_at < COUNT_AGAIN_SECONDS or not self._bucket.try_take():
            return
        written.written_at = now
        series = {"count": written.count, "lastObservedTime": micro_time()}
        namespace = pipeline["metadata"]["namespace"]
        await self._api.merge_patch(EVENT, namespace, written.name, {"series": series})

    async def _write(self, pipeline: Manifest, event: Event) -> str:
        """The name of the new Event."""
        metadata = pipeline["metadata"]
        quota = self._quotas[metadata["uid"], event.reason]
        manifest = self._manifest(pipeline, event, quota.left_out)
        await self._api.create(EVENT, metadata["namespace"], manifest)
        quota.left_out = 0
        return str(manifest["metadata"]["name"])

    def _manifest(self, pipeline: Manifest, event: Event, left_out: int) -> Manifest:
        metadata = pipeline["metadata"]
        note = event.message.encode()[:MAX_NOTE_BYTES].decode(errors="ignore")
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {
                "name": f"{metadata['name']}.{uuid4().hex[:16]}",
                "namespace": metadata["namespace"],
            },
            "eventTime": micro_time(),
            "reportingController": "headrace.dev/operator",
            "reportingInstance": self._identity[:128],
            "action": "Reconcile",
            "type": event.type,
            "reason": event.reason,
            "note": f"{note} ({left_out} more before it)" if left_out else note,
            "regarding": {
                "apiVersion": pipeline["apiVersion"],
                "kind": pipeline["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        }


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
