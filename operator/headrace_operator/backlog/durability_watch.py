"""Asks each server once a minute whether it can lose what it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

import redis.asyncio
from redis.exceptions import ResponseError

from headrace.streams.durability import SECTIONS, Risk, info_of, risk_of
from headrace.streams.script import call

INTERVAL_SECONDS = 60.0


class DurabilityWatch:
    """The last answer of each server; `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: WeakKeyDictionary[redis.asyncio.Redis, tuple[float, Risk | None]] = (
            WeakKeyDictionary()
        )

    async def risk_of(self, client: redis.asyncio.Redis) -> Risk | None:
        """None where all is well, and where INFO is refused. Raises connection errors."""
        known = self._known.get(client)
        if known is not None and self._clock() - known[0] < INTERVAL_SECONDS:
            return known[1]
        try:
            risk = risk_of(info_of((await call(client, ("INFO", *SECTIONS))).decode()))
        except ResponseError:
            risk = None  # a user without INFO, or a proxy that knows fewer sections
        self._known[client] = self._clock(), risk
        return risk
