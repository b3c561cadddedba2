"""Looks at the pending entries list many times a second and writes down who owns which entry.

An entry that was delivered and is no longer pending has been settled; the checker holds the moment
against the handlers' record, so that an acknowledgement that came before its effect shows even when
nothing crashed in between. Changes of owner tell how long a dead worker's entries waited, also
those that no handler had begun.
"""

from __future__ import annotations

import contextlib
import threading
import time

import redis

from tests.crash.broker import Broker
from tests.crash.sender import seq_of

PAUSE = 0.03
LOOK = """
local last
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #row, 2 do
    if row[i] == 'last-delivered-id' then last = row[i + 1] end
  end
end
local rows = {}
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100000)) do
  rows[#rows + 1] = row[1] .. ' ' .. row[2]
end
return {last, table.concat(rows, '\\n')}
"""


class Witness:
    """A thread with a connection of its own, past the proxy."""

    def __init__(self, broker: Broker, stream: str, group: str) -> None:
        self.broker = broker
        self.stream = stream
        self.group = group
        self.settled: dict[int, float] = {}
        """Sequence number -> Unix seconds at which it had been settled, at the latest."""
        self.owners: dict[int, list[tuple[str, float]]] = {}
        """Sequence number -> each consumer that was seen to own it, with Unix seconds."""
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
            self.broker.note_size()
            with contextlib.suppress(redis.RedisError, OSError), self.broker.client() as client:
                self._look(client)
                while not last and not self._ended.wait(PAUSE):
                    self.broker.note_size()
                    self._look(client)
            if last:
                return

    def _look(self, client: redis.Redis) -> None:
        delivered, pending = client.eval(LOOK, 1, self.stream, self.group)
        now = time.time()
        newest = seq_of(delivered)
        if newest > self._delivered:
            self._open.update(range(self._delivered + 1, newest + 1))
            self._delivered = newest
        still = set()
        for row in pending.decode().splitlines():
            entry_id, _, owner = row.partition(" ")
            seq = seq_of(entry_id.encode())
            still.add(seq)
            seen = self.owners.setdefault(seq, [])
            if not seen or seen[-1][0] != owner:
                seen.append((owner, now))
        for seq in self._open - still:
            self.settled[seq] = now
        self._open &= still
