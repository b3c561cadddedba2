"""Everything one plan is made from, gathered: caches, live looks where a cache cannot know, Redis.

A wanted child that no cache holds is looked up live before it may count as absent: server-side
apply would take over a stranger's object of that name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from headrace.streams.backlog import StreamBacklog
from headrace_api.names import MANAGED_BY, MANAGED_BY_LABEL
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.wakeups import Reading
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.cache import Cache, Key
from headrace_operator.kube.kinds import BY_KIND, CHILDREN, Manifest
from headrace_operator.plan import RenderedPipeline, Wanted
from headrace_operator.plan.former_children import former_children
from headrace_operator.plan.observation import ChildRef, Observation, References
from headrace_operator.plan.ownership import is_ours
from headrace_operator.reconcile.failures import failure_of
from headrace_operator.reconcile.memory import Memory

_APPLIED = frozenset(kind.kind for kind in CHILDREN)


class Observer:
    def __init__(
        self,
        api: ApiServer,
        cache: Cache,
        poller: BacklogPoller,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._cache = cache
        self._poller = poller
        self._clock = clock

    async def observe(
        self, live: Manifest, pipeline: StreamPipeline, rendered: RenderedPipeline, memory: Memory
    ) -> Observation:
        """What could not be looked at is in `failures` and `unreadable`."""
        key = pipeline.key
        connection, applied = memory.connection, memory.applied
        children, unreadable = await self._children(key, pipeline, rendered.wanted)
        unseen = [failure_of(error, ref) for ref, error in unreadable.items()]
        reading = self._poller.reading(key) if connection.access else None
        return Observation(
            pipeline=pipeline,
            children=children,
            now=time.time(),
            clock=self._clock(),
            pods=tuple(self._cache.pods(key)),
            backlog=known_backlog(reading, memory.groups.created_at),
            is_answer=_is_answer(reading, memory.planned.asked_at),
            redis_answers=connection.access is not None and self._poller.answers(connection.access),
            redis_error=connection.access_error or (reading.error if reading else None),
            redis_refused=reading is not None and reading.refused,
            no_place=(place.reason, str(place)) if (place := connection.no_place) else None,
            risk=reading.risk if reading is not None else None,
            stream_bytes=reading.stream_bytes if reading is not None else None,
            memory_full_in=reading.memory_full_in if reading is not None else None,
            references=connection.references or References(),
            claims=dict(memory.groups.claims),
            conflicts=applied.conflicts.standing(),
            rejections={ref: seen.message for ref, seen in applied.rejections.items()},
            failures=tuple(dict.fromkeys((*connection.unread, *unseen, *applied.failures))),
            held=applied.held,
            unreadable=frozenset(unreadable),
            history=memory.planned.history,
            live_status=live.get("status") or {},
            status_written_at=memory.status.written_at,
        )

    async def _children(
        self, key: Key, pipeline: StreamPipeline, want: Wanted
    ) -> tuple[dict[ChildRef, Manifest], dict[ChildRef, ApiError | ApiUnreachable]]:
        """All of ours, and whatever bears the name of a wanted child.

        Watches select by a label that anybody can edit. So what no cache holds is asked for by
        name: each wanted child, and those of groups and trims that the last status knew. Returns
        the children, and why some could not be looked at.
        """
        namespace = pipeline.namespace
        children = {
            ChildRef(child["kind"], child["metadata"]["name"]): child
            for child in self._cache.children(key)
        }
        # Without the label no watch reports what becomes of it.
        unknown = [ref for ref, child in children.items() if not _is_watched(child)]
        for ref in (*want.children, *former_children(pipeline)):
            if ref in children:
                continue
            cached = self._cache.get(ref.kind, namespace, ref.name)
            if cached is None:
                unknown.append(ref)
            elif ref in want.children:
                children[ref] = cached
        unknown = list(dict.fromkeys(unknown))
        unreadable = {}
        for ref, live in zip(unknown, await self._live(namespace, unknown), strict=True):
            if isinstance(live, ApiError | ApiUnreachable):
                unreadable[ref] = live
            elif live is None:
                children.pop(ref, None)
            elif is_ours(live, pipeline):
                self._cache.revive(BY_KIND[ref.kind], live)
                children[ref] = live
            elif ref in want.children:
                children[ref] = live
        return children, unreadable

    async def _live(
        self, namespace: str, refs: list[ChildRef]
    ) -> list[Manifest | ApiError | ApiUnreachable | None]:
        async def get(ref: ChildRef) -> Manifest | ApiError | ApiUnreachable | None:
            try:
                return await self._api.get(BY_KIND[ref.kind], namespace, ref.name)
            except (ApiError, ApiUnreachable) as error:
                return error

        return await asyncio.gather(*map(get, refs))


def known_backlog(reading: Reading | None, created_at: Mapping[str, float]) -> StreamBacklog | None:
    """What was read, without groups that were created since: it has them as missing."""
    if reading is None or reading.backlog is None:
        return None
    newer = {name for name, clock in created_at.items() if clock >= reading.clock}
    if not newer:
        return reading.backlog
    groups = {name: group for name, group in reading.backlog.groups.items() if name not in newer}
    return replace(reading.backlog, groups=groups)


def _is_answer(reading: Reading | None, asked_at: float | None) -> bool:
    return reading is not None and asked_at is not None and reading.clock >= asked_at


def _is_watched(child: Manifest) -> bool:
    labels = child["metadata"].get("labels") or {}
    return bool(labels.get(MANAGED_BY_LABEL) == MANAGED_BY) or child["kind"] not in _APPLIED
