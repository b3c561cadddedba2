"""Watches: pipelines and everything labelled as ours -> the cache -> keys on the work queue.

kopf does the watching, through on.event handlers only: they store nothing in annotations, need
no finalizer and no task per object. It never reports deletions that it missed while a watch was
broken (after 410 it lists again and forgets what is no longer there), so a full list of our own,
jittered, runs every few minutes; the same list fills the cache before the first reconciliation.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import kopf

from headrace_api.names import MANAGED_BY, MANAGED_BY_LABEL
from headrace_operator import metrics
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.cache import Cache, Key
from headrace_operator.kube.kinds import (
    CHILDREN,
    JOB,
    POD,
    REPLICA_SET,
    STREAM_PIPELINE,
    Kind,
)

log = logging.getLogger(__name__)

OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
WATCHED = (STREAM_PIPELINE, *CHILDREN, REPLICA_SET, JOB, POD)


def registry(cache: Cache, changed: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """kopf handlers that put what they see into the cache and call ``changed`` with the key."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(_login)
    for kind in WATCHED:
        group, _, version = kind.api_version.rpartition("/")
        kopf.on.event(group, version, kind.plural, registry=handlers, id=f"see-{kind.plural}")(
            _handler(kind, cache, changed)
        )
    return handlers


def settings() -> kopf.OperatorSettings:
    """Watch with server-side selectors; write nothing, discover nothing."""
    result = kopf.OperatorSettings()
    for kind in WATCHED:
        if kind is not STREAM_PIPELINE:
            group, _, version = kind.api_version.rpartition("/")
            result.watching.label_selectors[group, version, kind.plural] = OURS
    result.watching.chunk_size = 500
    result.watching.connect_timeout = 30
    result.networking.request_timeout = 30
    result.persistence.diffbase_storage = _NoDiffBase()
    result.persistence.progress_storage = _NoProgress()
    result.posting.enabled = False
    result.scanning.disabled = True
    result.peering.standalone = True
    return result


class _NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is compared with an earlier state; kopf's own would copy every object deeply."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is ever written to an object."""


class _NoProgress(kopf.ProgressStorage):
    """Handlers of events have no progress."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is ever written to an object."""

    purge = touch = store

    def clear(self, *, essence: Any) -> Any:
        return essence


class _Connection(kopf.ConnectionInfo):
    """kopf's, verifying certificates as Kubernetes' own clients do.

    From 3.13 on Python also refuses authorities without key usage or key identifiers, and many
    clusters have such a one.
    """

    def as_ssl_context(self) -> ssl.SSLContext:
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    found = kopf.login_with_kubeconfig(**kwargs) or kopf.login_with_service_account(**kwargs)
    if found is None:
        return None
    return _Connection(**{one.name: getattr(found, one.name) for one in fields(found)})


def _handler(kind: Kind, cache: Cache, changed: Callable[[Key], None]) -> Callable[..., Any]:
    async def see(event: Any, **_: Any) -> None:
        metrics.WATCH_EVENTS.labels(kind.kind).inc()
        seen = {"apiVersion": kind.api_version, "kind": kind.kind} | dict(event["object"])
        gone = event["type"] == "DELETED"
        for key in cache.remove(kind, seen) if gone else cache.put(kind, seen):
            changed(key)

    return see


class Resync:
    """Full lists of every watched kind: once before the start, then every ``period`` seconds."""

    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        changed: Callable[[Key], None],
        *,
        namespaces: Sequence[str],
        period: float = 300.0,
    ) -> None:
        self._api = api
        self._cache = cache
        self._changed = changed
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._period = period

    async def first(self) -> None:
        """Fill the cache; waits (and says why) until the API server has answered for each kind."""
        for kind in WATCHED:
            delay = 1.0
            while True:
                try:
                    await self._list(kind)
                    break
                except (ApiError, ApiUnreachable) as error:
                    log.warning("cannot list %s yet: %s", kind.plural, error)
                    await asyncio.sleep(delay * random.uniform(0.8, 1.2))
                    delay = min(delay * 2, 15.0)

    async def run(self) -> None:
        """List again and again, one kind at a time, spread over the period."""
        # The first round comes early: what was deleted between our list and kopf's is in neither.
        pause = min(self._period, 20.0) / len(WATCHED)
        while True:
            for kind in WATCHED:
                await asyncio.sleep(pause * random.uniform(0.7, 1.3))
                try:
                    await self._list(kind)
                except (ApiError, ApiUnreachable) as error:
                    log.warning("cannot list %s: %s", kind.plural, error)
            pause = self._period / len(WATCHED)

    async def _list(self, kind: Kind) -> None:
        selector = None if kind is STREAM_PIPELINE else OURS
        for namespace in self._namespaces:
            items, version = await self._api.list_all(kind, namespace, label_selector=selector)
            for key in self._cache.replace_all(kind, namespace, items, version):
                self._changed(key)
