"""Looks at the group many times a second and writes down who owns which entry.

An entry that was delivered and is no longer pending has been settled; the checker holds the moment
against the handlers' record, so that an acknowledgement that came before its effect shows even when
nothing crashed in between. Changes of owner tell how long a dead worker's entries waited, also
those that no handler had begun.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

import redis

from tests.crash.broker import Broker
from tests.crash.progress import Look
from tests.crash.workload import seq_of

PAUSE = 0.03
LOOK = """
local last, lag
if redis.call('EXISTS', KEYS[1]) == 0 then return {false, '', 0} end
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #row, 2 do
    if row[i] == 'last-delivered-id' then last = row[i + 1] end
    if row[i] == 'lag' then lag = row[i + 1] end
  end
end
if not last then return {false, '', 1} end
local rows = {}
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100000)) do
  rows[#rows + 1] = row[1] .. ' ' .. row[2]
end
-- Before 7.2.7 a lag may be too high: where nobody holds anything, it is looked at.
if not lag or (lag > 0 and #rows == 0) then
  lag = #redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)
end
return {last, table.concat(rows, '\\n'), lag}
"""


class Witness:
    """A thread with a connection of its own, past the proxy. `each_look` runs at each look."""

    def __init__(
        self, broker: Broker, stream: str, group: str, each_look: Callable[[], None]
    ) -> None:
        self.broker = broker
        self.stream = stream
        self.group = group
        self.each_look = each_look
        self.settled: dict[int, float] = {}
        """Sequence number -> Unix seconds at which it had been settled, at the latest."""
        self.owners: dict[int, list[tuple[str, float]]] = {}
        """Sequence number -> each consumer that was seen to own it, with Unix seconds."""
        self.looks: list[Look] = []
        self._delivered = -1
        self._open: set[int] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after a last look."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            last = self._ended.wait(PAUSE)
            port = self.broker.port
            self.each_look()
            with contextlib.suppress(redis.RedisError, OSError), self.broker.client() as client:
                self._look(client)
                while not last and not self._ended.wait(PAUSE) and port == self.broker.port:
                    self.each_look()
                    self._look(client)
            if last:
                return

    def _look(self, client: redis.Redis) -> None:
        delivered, pending, unread = client.eval(LOOK, 1, self.stream, self.group)
        now = time.time()
        newest = seq_of(delivered) if delivered else -1
        if newest > self._delivered:
            self._open.update(range(self._delivered + 1, newest + 1))
            self._delivered = newest
        still = set()
        owned: Counter[str] = Counter()
        for row in pending.decode().splitlines():
            entry_id, _, owner = row.partition(" ")
            seq = seq_of(entry_id.encode())
            still.add(seq)
            owned[owner] += 1
            seen = self.owners.setdefault(seq, [])
            if not seen or seen[-1][0] != owner:
                seen.append((owner, now))
        self.looks.append(Look(now, bool(unread), owned))
        for seq in self._open - still:
            self.settled[seq] = now
        self._open &= still
