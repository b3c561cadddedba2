"""What befalls the connections between workers and Redis."""

from __future__ import annotations

from headrace.streams.script import Script
from tests.crash.faults.base import Base

COMMIT = Script("commit").sha.encode()
SLOW_BYTES_PER_SECOND = 300_000


class NetworkFaults(Base):
    """What befalls the connections between workers and Redis."""

    def cut_connections(self) -> None:
        self.world.proxy.cut_all()

    def cut_requests(self) -> None:
        self.world.proxy.cut_requests()

    def cut_replies(self) -> None:
        self.world.proxy.cut_replies()

    def withhold_replies(self) -> None:
        self.world.proxy.withhold_replies()

    def hold_commits(self) -> None:
        """No commit arrives, all else does: leases are renewed while commits are on their way."""
        seconds = self.world.min_idle * self._random.uniform(0.3, 0.8)
        self.world.proxy.refuse(COMMIT, seconds)
        self.out_for(seconds)

    def stall(self) -> None:
        seconds = self.world.min_idle * self._random.uniform(0.2, 1.8)
        self.world.proxy.stall(seconds)
        self.out_for(seconds)

    def slow_link(self) -> None:
        seconds = self._random.uniform(1.0, 3.0)
        self.world.proxy.slow_down(SLOW_BYTES_PER_SECOND, seconds)
        self.out_for(seconds)
