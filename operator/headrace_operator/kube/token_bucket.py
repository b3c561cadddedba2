"""A token bucket: `rate` tokens per second, at most `burst` saved up."""

from __future__ import annotations

import asyncio


class TokenBucket:
    """Callers of `take` are served in the order in which they came."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at: float | None = None

    async def take(self) -> None:
        """Take one token, waiting for it if need be (a debt that the refill pays back)."""
        wait = self.reserve()
        if wait > 0:
            await asyncio.sleep(wait)

    def try_take(self) -> bool:
        """Take one token if there is one now."""
        self._refill(asyncio.get_running_loop().time())
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def reserve(self) -> float:
        """Take one token that may be used after so many seconds (0.0: now); the same debt."""
        self._refill(asyncio.get_running_loop().time())
        self._tokens -= 1
        return max(-self._tokens / self._rate, 0.0)

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(self._tokens + (now - self._at) * self._rate, self._burst)
        self._at = now
