"""What befalls the data: keys in the way, groups and streams removed."""

from __future__ import annotations

from tests.crash.faults.base import Base
from tests.crash.workload import entry_id, seq_of

BLOCK = """
if redis.call('TYPE', KEYS[1]).ok == 'string' then return end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end
redis.call('SET', KEYS[1], 'in the way')
"""
FREE = """
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return end
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) end
"""


class DataFaults(Base):
    """What befalls the data: keys in the way, groups and streams removed."""

    def block_dead_letters(self) -> None:
        """The dead letters' key holds another type for a while."""
        dead, aside = self.world.keys.dead_letters, "{crash}:aside"
        self._try("EVAL", BLOCK, "2", dead, aside)
        seconds = self._random.uniform(0.3, 1.5)
        self.out_for(seconds)
        self._later(seconds, lambda: self._try("EVAL", FREE, "2", dead, aside))

    def trim_safe(self) -> None:
        """`headrace trim` down to almost nothing, while workers are at work."""
        self.world.fleet.trim(self.world.trim_config)

    def trim_force(self) -> None:
        """Remove a part of what is in the stream, read or not, as policy Force may."""
        with self.world.broker.client() as client:
            sent = self.world.sender.sent
            below = max(self.removed_below, sent - self._random.randint(20, 200))
            self.removed_below = below
            client.xtrim(self.world.stream, minid=entry_id(below).decode())

    def block_output(self) -> None:
        """The output's key holds another type for a while: what emits cannot be settled, all else
        can, and goes on meanwhile."""
        output, aside = self.world.output, "{crash}:aside"
        self.refused_outputs = True
        self._try("EVAL", BLOCK, "2", output, aside)
        self._later(
            self._random.uniform(8.0, 14.0), lambda: self._try("EVAL", FREE, "2", output, aside)
        )

    def destroy_group(self) -> None:
        self.repeats = True
        self._try("XGROUP", "DESTROY", self.world.stream, self.world.group)

    def delete_stream(self) -> None:
        self._remove("DEL", self.world.stream)

    def flush_all(self) -> None:
        self._remove("FLUSHALL")

    def _remove(self, *command: str) -> None:
        """Do it in one step with a look at what goes: that is this harm's loss, not a worker's."""
        self.repeats = True
        with self.world.broker.client() as client:
            both = client.pipeline(transaction=True)
            both.xrevrange(self.world.stream, count=1)
            both.execute_command(*command)
            last = both.execute()[0]
        if last:
            self.removed_below = max(self.removed_below, seq_of(last[0][0]) + 1)
