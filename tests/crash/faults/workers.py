"""What befalls workers and their handlers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.crash.faults.base import Base

if TYPE_CHECKING:
    from tests.crash.fleet import Worker

MAX_WORKERS = 4


class WorkerFaults(Base):
    """What befalls workers and their handlers."""

    def _victim(self) -> Worker | None:
        """A worker at work, while others are; None when that does not come about."""
        fleet = self.world.fleet
        if not fleet.wait_at_work(self.world.least_at_work):
            return None
        return self._random.choice(fleet.at_work)

    def kill_worker(self) -> None:
        if victim := self._victim():
            self.world.fleet.kill(victim)
            self.world.fleet.start()

    def kill_and_restart_in_pod(self) -> None:
        if victim := self._victim():
            self.world.fleet.kill(victim)
            self.world.fleet.start(victim.pod)

    def roll_worker(self) -> None:
        if victim := self._victim():
            self.world.fleet.start()
            self.world.fleet.terminate(victim)

    def scale_up(self) -> None:
        if len(self.world.fleet.workers) < MAX_WORKERS:
            self.world.fleet.start()

    def scale_down(self) -> None:
        fleet = self.world.fleet
        if len(fleet.running) > self.world.least_at_work and (victim := self._victim()):
            fleet.terminate(victim)

    def pause_worker(self) -> None:
        """A zombie: silent for longer than minIdle, then it goes on as if nothing had been."""
        fleet = self.world.fleet
        if victim := self._victim():
            fleet.pause(victim)
            self._later(
                self.world.min_idle * self._random.uniform(0.5, 1.8), lambda: fleet.resume(victim)
            )

    def there_and_back(self) -> None:
        """A worker falls silent, another takes what it ran and dies, and it gets that back while
        it still runs it."""
        fleet = self.world.fleet
        if not (victim := self._victim()):
            return
        fleet.pause(victim)
        time.sleep(1.5 * self.world.min_idle)
        for other in list(fleet.running):
            fleet.kill(other)
        fleet.resume(victim)
        time.sleep(1.8 * self.world.min_idle)
        fleet.start()

    def hang(self) -> None:
        """What handlers wait for does not answer, for longer than their time-out."""
        seconds = self.world.run.of.handler_timeout * self._random.uniform(1.2, 2.5)
        self.world.hang.touch()
        self.out_for(seconds)
        self._later(seconds, lambda: self.world.hang.unlink(missing_ok=True))
