"""Watches: pipelines and everything labelled as ours -> the cache -> keys on the work queue.

kopf watches, through on.event handlers only: they store nothing in annotations, need no finalizer
and no task per object. It never reports deletions that it missed while a watch was broken (after
410 it lists again and forgets what is no longer there), so a full list of our own, jittered, runs
every few minutes; the same list fills the cache before the first reconciliation.

Every watched namespace has watches of its own. One that is deleted, not made yet or forbidden
concerns only itself: it is tried again slowly, and the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from headrace.worker.tasks import first_to_end
from headrace_api.names import MANAGED_BY, MANAGED_BY_LABEL
from headrace_operator import metrics
from headrace_operator.kube import kopf_setup
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.cache import Cache, Key, key_of, split
from headrace_operator.kube.kinds import (
    CHILDREN,
    JOB,
    POD,
    REDIS_CONNECTION,
    REPLICA_SET,
    STREAM_PIPELINE,
    Kind,
    Manifest,
)

logger = logging.getLogger(__name__)

OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
# Before the pipelines, which name them.
WATCHED = (REDIS_CONNECTION, STREAM_PIPELINE, *CHILDREN, REPLICA_SET, JOB, POD)
# Pauses between two tries of a namespace that cannot be watched.
FIRST_RETRY_SECONDS = 1.0
SLOWEST_RETRY_SECONDS = 30.0
# What was deleted between our list and kopf's is in neither, so the first round comes early.
FIRST_RESYNC_SECONDS = 20.0


class Watches:
    """The watches of all namespaces, or of each that is named."""

    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        changed: Callable[[Key], None],
        *,
        namespaces: Sequence[str] = (),
        resync_seconds: float = 300.0,
        on_started: Callable[[], None] = lambda: None,
        connection_changed: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._scopes = [
            _Scope(
                api,
                cache,
                changed,
                namespace=namespace,
                resync_seconds=resync_seconds,
                on_started=on_started,
                connection_changed=connection_changed,
            )
            for namespace in (namespaces or (None,))
        ]

    async def fill(self) -> None:
        """List everything once. Raises ApiError, ApiUnreachable."""
        for scope in self._scopes:
            await scope.fill()

    async def run(self) -> None:
        """Watch until cancelled."""
        await first_to_end(*(scope.run() for scope in self._scopes))

    async def first_answer(self) -> None:
        """Wait until every namespace has answered, and one of them with its objects."""
        await asyncio.gather(*(scope.answered.wait() for scope in self._scopes))
        waits = [asyncio.create_task(scope.filled.wait()) for scope in self._scopes]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def are_refused(self, key: Key) -> bool:
        """The pipeline's namespace cannot be watched: what is known of it may be long untrue."""
        namespace, _ = split(key)
        return any(s.refusal and s.namespace in (None, namespace) for s in self._scopes)

    def refusals(self) -> dict[str, str]:
        """Namespace (or `all namespaces`) -> why it cannot be watched."""
        return {scope.name: scope.refusal for scope in self._scopes if scope.refusal}


class _Scope:
    """One namespace, or all of them: a list of everything, and then watches from there on.

    answered  the API server has answered our first lists, with objects or with a refusal.
    filled    the cache has held this scope's objects since.
    refusal   why it may not or cannot be listed now; None: it can.
    """

    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        changed: Callable[[Key], None],
        *,
        namespace: str | None,
        resync_seconds: float,
        on_started: Callable[[], None],
        connection_changed: Callable[[Key], None],
    ) -> None:
        self.namespace = namespace
        self.name = "all namespaces" if namespace is None else f"namespace {namespace}"
        self.answered = asyncio.Event()
        self.filled = asyncio.Event()
        self.refusal: str | None = None
        self._api = api
        self._cache = cache
        self._changed = changed
        self._resync_seconds = resync_seconds
        self._on_started = on_started
        self._connection_changed = connection_changed
        # Whoever upgrades without the newest definition or rights has pipelines all the same.
        self._without_connections = False

    async def run(self) -> None:
        while True:
            await self._fill_at_last()
            try:
                await first_to_end(
                    kopf_setup.watch(
                        [kind for kind in WATCHED if not self._is_left_out(kind)],
                        self._see,
                        namespace=self.namespace,
                        selector_of=_selector,
                        on_started=self._on_started,
                    ),
                    self._list_again_and_again(),
                )
            except Exception as error:  # a fault of one scope must not end the others
                logger.warning("the watches of %s ended: %s; beginning anew", self.name, error)
            await asyncio.sleep(FIRST_RETRY_SECONDS * random.uniform(0.8, 1.2))

    async def fill(self) -> None:
        for kind in WATCHED:
            try:
                await self._list(kind)
            except ApiError as error:
                if kind is not REDIS_CONNECTION or not (error.is_missing or error.is_forbidden):
                    raise
                self._tell_no_connections(error)
            else:
                if kind is REDIS_CONNECTION:
                    self._without_connections = False

    def _is_left_out(self, kind: Kind) -> bool:
        return kind is REDIS_CONNECTION and self._without_connections

    def _tell_no_connections(self, error: ApiError) -> None:
        if not self._without_connections:
            logger.warning(
                "%s is watched without RedisConnections: %s; apply the newest definitions and"
                " rights",
                self.name,
                error,
            )
        self._without_connections = True

    async def _fill_at_last(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while True:
            try:
                await self.fill()
                break
            except ApiUnreachable as error:
                logger.warning("%s cannot be listed yet: %s", self.name, error)
            except ApiError as error:
                self._tell_refusal(error)
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))
            delay = min(delay * 2, SLOWEST_RETRY_SECONDS)
        if self.refusal is not None:
            logger.info("%s can be watched again", self.name)
            self.refusal = None
            for key in self._cache.pipelines():
                if self.namespace in (None, split(key)[0]):
                    self._changed(key)
        metrics.UNWATCHED_NAMESPACES.labels(self.namespace or "").set(0)
        self.answered.set()
        self.filled.set()

    def _tell_refusal(self, error: ApiError) -> None:
        if not (error.is_forbidden or error.is_missing):
            logger.warning("%s cannot be listed yet: %s", self.name, error)
            return
        if self.refusal is None:
            logger.error("%s cannot be watched; trying again slowly: %s", self.name, error)
        self.refusal = error.message
        metrics.UNWATCHED_NAMESPACES.labels(self.namespace or "").set(1)
        self.answered.set()

    async def _list_again_and_again(self) -> None:
        """One kind at a time, spread over the period. Raises a refusal, which ends the watches; so
        does returning, once RedisConnections can be watched, too."""
        pause = min(self._resync_seconds, FIRST_RESYNC_SECONDS) / len(WATCHED)
        while True:
            for kind in WATCHED:
                await asyncio.sleep(pause * random.uniform(0.7, 1.3))
                try:
                    await self._list(kind)
                    if self._is_left_out(kind):
                        return
                except (ApiError, ApiUnreachable) as error:
                    if self._is_left_out(kind):
                        continue
                    if isinstance(error, ApiError) and (error.is_forbidden or error.is_missing):
                        raise
                    logger.warning("cannot list %s: %s", kind.plural, error)
            pause = self._resync_seconds / len(WATCHED)

    async def _list(self, kind: Kind) -> None:
        newest = self._cache.newest(kind)
        items, version = await self._api.list_all(
            kind, self.namespace, label_selector=_selector(kind)
        )
        for key in self._cache.replace_all(kind, self.namespace, items, version, newest):
            self._changed(key)
        for item in items if kind is REDIS_CONNECTION else ():
            self._connection_changed(_key(item))

    def _see(self, kind: Kind, event: str, manifest: Manifest) -> None:
        metrics.WATCH_EVENTS.labels(kind.kind).inc()
        manifest = {"apiVersion": kind.api_version, "kind": kind.kind} | manifest
        gone = event == "DELETED"
        for key in self._cache.remove(kind, manifest) if gone else self._cache.put(kind, manifest):
            self._changed(key)
        if kind is REDIS_CONNECTION:
            self._connection_changed(_key(manifest))


def _key(manifest: Manifest) -> Key:
    return key_of(manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def _selector(kind: Kind) -> str | None:
    return None if kind in (STREAM_PIPELINE, REDIS_CONNECTION) else OURS
