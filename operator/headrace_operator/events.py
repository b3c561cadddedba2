"""Kubernetes Events for people, as `kubectl describe` shows them; each once an hour at most."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from headrace_operator.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kinds import EVENT, Manifest
from headrace_operator.plan import Event
from headrace_operator.rate import TokenBucket

log = logging.getLogger(__name__)

SAY_AGAIN = 3600.0
REMEMBERED = 10_000
NOTE_LIMIT = 1000  # the API server's limit is 1 KiB


class Events:
    """Losing an Event loses nothing: the status holds the state."""

    def __init__(self, api: ApiServer, identity: str, clock: Callable[[], float]) -> None:
        self._api = api
        self._identity = identity
        self._clock = clock
        self._said: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._bucket = TokenBucket(rate=5, burst=50)

    async def say(self, pipeline: Manifest, event: Event) -> None:
        metadata, now = pipeline["metadata"], self._clock()
        heard = (metadata["uid"], event.reason, event.message)
        if now - self._said.get(heard, -SAY_AGAIN) < SAY_AGAIN or not self._bucket.try_take():
            return
        self._said[heard] = now
        self._said.move_to_end(heard)
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        try:
            await self._api.create(EVENT, metadata["namespace"], self._manifest(pipeline, event))
        except (ApiError, ApiUnreachable) as error:
            log.info("an Event was not delivered: %s", error)

    def _manifest(self, pipeline: Manifest, event: Event) -> Manifest:
        metadata = pipeline["metadata"]
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {
                "name": f"{metadata['name']}.{uuid4().hex[:16]}",
                "namespace": metadata["namespace"],
            },
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "headrace.dev/operator",
            "reportingInstance": self._identity[:128],
            "action": "Reconcile",
            "type": event.type,
            "reason": event.reason,
            "note": event.message[:NOTE_LIMIT],
            "regarding": {
                "apiVersion": pipeline["apiVersion"],
                "kind": pipeline["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        }
