"""A keyed work queue: what flows in are keys, what flows out are keys, one at a time each.

Specification (the tests hold it sentence by sentence):

- A key waits at most once, however often it is put.
- A key that is being worked on is never handed out a second time; put meanwhile, it is handed
  out again after the work has ended.
- `put_after(key, delay)` makes the key due later; the earliest due time wins, and a plain
  `put` makes it due now.
- `put_backoff(key)` makes it due after base * 2^failures seconds, capped and jittered by
  +-20 % so that a fleet that failed together does not come back together. `forget_failures`
  starts over. A `put` during the back-off is obeyed at once: new information beats waiting.
- Due keys leave in the order in which they became due.
- Nothing is lost when a worker is cancelled: its key becomes due again.

Times are seconds on the running loop's clock. The queue knows nothing of what a key means.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

# With its jitter below ten seconds: so soon is seen what somebody has mended in the cluster, such
# as a right, a quota or a webhook, which the operator cannot watch.
LONGEST_BACK_OFF_SECONDS = 8.0
JITTER = 0.2


class WorkQueue(Generic[K]):
    """See the module's docstring. `on_wait` is told how long each key waited after it was due."""

    def __init__(
        self,
        *,
        base_delay: float = 0.5,
        max_delay: float = LONGEST_BACK_OFF_SECONDS,
        on_wait: Callable[[float], None] = lambda _seconds: None,
        jitter: Callable[[], float] = lambda: random.uniform(1 - JITTER, 1 + JITTER),
    ) -> None:
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._on_wait = on_wait
        self._jitter = jitter
        self._ready: deque[K] = deque()
        self._ready_since: dict[K, float] = {}
        self._in_hand: set[K] = set()
        self._again: set[K] = set()  # put while in hand
        self._due: dict[K, float] = {}  # the truth about later; the heap may hold stale entries
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._failures: dict[K, int] = {}
        self._wakeup = asyncio.Event()

    def __len__(self) -> int:
        """How many keys are ready and wait for a worker."""
        return len(self._ready)

    def put(self, key: K) -> None:
        """Make the key due now."""
        self._due.pop(key, None)
        if key in self._in_hand:
            self._again.add(key)
        elif key not in self._ready_since:
            self._ready_since[key] = asyncio.get_running_loop().time()
            self._ready.append(key)
            self._wakeup.set()

    def put_after(self, key: K, delay: float) -> None:
        """Make the key due in `delay` seconds, unless it is due earlier already."""
        if delay <= 0:
            self.put(key)
            return
        if key in self._ready_since or key in self._again:
            return
        due = asyncio.get_running_loop().time() + delay
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._wakeup.set()

    def put_backoff(self, key: K) -> float:
        """Make the key due after its back-off; returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._base_delay * 2.0 ** min(failures, 32), self._max_delay) * self._jitter()
        self.put_after(key, delay)
        return delay

    def forget_failures(self, key: K) -> None:
        """The next back-off of this key starts from the base delay."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Wait for a due key and take it in hand; `done` must follow."""
        while True:
            now = asyncio.get_running_loop().time()
            self._promote(now)
            if self._ready:
                key = self._ready.popleft()
                self._on_wait(now - self._ready_since.pop(key))
                self._in_hand.add(key)
                if self._ready:
                    self._wakeup.set()  # another waiting worker may take the next one
                return key
            self._wakeup.clear()
            timeout = max(self._heap[0][0] - now, 0) if self._heap else None
            try:
                async with asyncio.timeout(timeout):
                    await self._wakeup.wait()
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """The work on this key has ended; if it was put meanwhile, it is due now."""
        self._in_hand.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.put(key)

    async def work(self, handle: Callable[[K], Awaitable[float | None]]) -> None:
        """Serve keys until cancelled; run as many of these as there shall be workers.

        `handle` returns the seconds until the next look, or None for "when something changes".
        If it raises, the key backs off; sorting and logging the error is the handler's business.
        """
        while True:
            key = await self.get()
            try:
                delay = await handle(key)
            except asyncio.CancelledError:
                self._again.add(key)
                raise
            except Exception:  # the handler has logged it; what counts here is that we try again
                self.put_backoff(key)
            else:
                self.forget_failures(key)
                if delay is not None:
                    self.put_after(key, delay)
            finally:
                self.done(key)

    def _promote(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:  # else superseded by an earlier put
                self.put(key)
