"""Reads the backlog of the whole fleet: one loop per Redis access, every second.

In: `watch(key, ...)` / `forget(key)`. Out: `reading(key)`, and `on_change(key)` whenever a new
reading could change a decision. A stuck endpoint delays only its own pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headrace.streams.backlog import StreamBacklog
from headrace.streams.keys import StreamKeys

from headrace_operator.redis_access import Access, RedisAccess


@dataclass(frozen=True, slots=True)
class Subject:
    """What to read for one pipeline."""

    access: Access
    keys: StreamKeys
    groups: tuple[str, ...]  # Redis group names


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest answer: either a backlog or why there is none. `clock`: monotonic seconds."""

    backlog: StreamBacklog | None
    error: str | None
    clock: float


class BacklogPoller:
    """Owns the polling tasks; needs a running loop for `watch`."""

    def __init__(
        self, redis: RedisAccess, on_change: Callable[[str], None], interval: float = 1.0
    ) -> None:
        raise NotImplementedError

    def watch(self, key: str, subject: Subject) -> None:
        """Starts or changes the polling of pipeline `key`; the same subject again is free."""
        raise NotImplementedError

    def forget(self, key: str) -> None:
        """Stops polling `key`."""
        raise NotImplementedError

    def reading(self, key: str) -> Reading | None:
        """The newest reading, None before the first."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Ends every task."""
        raise NotImplementedError
