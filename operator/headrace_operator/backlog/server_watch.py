"""Asks each server once a minute: can it lose what it is given, and when is its memory full?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from weakref import WeakKeyDictionary

import redis.asyncio
from redis.exceptions import ResponseError

from headrace.streams.durability import SECTIONS, Risk, risk_of, stands_alone
from headrace.streams.memory import room_of
from headrace.streams.script import call
from headrace.streams.server_info import read_info
from headrace_operator.backlog.memory_trend import MemoryTrend

INTERVAL_SECONDS = 60.0
# INFO does not tell it, and where CONFIG is refused each question is a line in ACL LOG.
FSYNC_INTERVAL_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class ServerReport:
    """`risk`: how it may lose a stream by itself. `full_in`: seconds until its memory is full.
    None of each: all is well, or nothing is known."""

    risk: Risk | None = None
    full_in: float | None = None


@dataclass(slots=True)
class _Known:
    asked_at: float
    report: ServerReport = ServerReport()
    trend: MemoryTrend = field(default_factory=MemoryTrend)
    fsync: str | None = None
    fsync_asked_at: float = -inf


class ServerWatch:
    """The last answer of each server; `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: WeakKeyDictionary[redis.asyncio.Redis, _Known] = WeakKeyDictionary()

    async def report_of(self, client: redis.asyncio.Redis) -> ServerReport:
        """Empty where INFO is refused. Raises connection errors."""
        now = self._clock()
        known = self._known.get(client)
        if known is None:
            known = self._known[client] = _Known(now)
        elif now - known.asked_at < INTERVAL_SECONDS:
            return known.report
        try:
            info = await read_info(client, *SECTIONS)
        except ResponseError:
            known.report = ServerReport()  # a user without INFO, or a proxy that knows less of it
        else:
            known.trend.add(now, room_of(info))
            if stands_alone(info) and now - known.fsync_asked_at >= FSYNC_INTERVAL_SECONDS:
                known.fsync, known.fsync_asked_at = await _fsync(client), now
            known.report = ServerReport(risk_of(info, known.fsync), known.trend.full_in())
        known.asked_at = now
        return known.report


async def _fsync(client: redis.asyncio.Redis) -> str | None:
    """appendfsync; None where this user may not ask, as in most managed Redis."""
    try:
        row = await call(client, ("CONFIG", "GET", "appendfsync"))
    except ResponseError:
        return None
    return row[1].decode() if row else None
