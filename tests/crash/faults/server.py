"""What befalls the server."""

from __future__ import annotations

import contextlib
import time

import redis

from tests.crash.faults.base import Base

NO_LIMIT = ("CONFIG", "SET", "maxmemory", "0")


class ServerFaults(Base):
    """What befalls the server."""

    def kill_broker(self) -> None:
        self.world.broker.kill()
        time.sleep(self._random.uniform(0.0, 0.4))
        self.world.broker.start()

    def slow_command(self) -> None:
        seconds = self._random.uniform(0.1, 1.2) * self.world.min_idle

        def sleep() -> None:
            with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
                client.execute_command("DEBUG", "SLEEP", f"{seconds:.2f}")

        self._later(0.0, sleep)
        self.out_for(seconds)

    def script_flush(self) -> None:
        with contextlib.suppress(redis.RedisError), self.world.broker.client() as client:
            client.script_flush()

    def fill_memory(self) -> None:
        """Every write that needs memory is refused for a while."""
        self._try("CONFIG", "SET", "maxmemory", "1")
        seconds = self._random.uniform(0.3, 1.5)
        self.out_for(seconds)
        self._later(seconds, lambda: self._try(*NO_LIMIT))

    def fail_over(self) -> None:
        """New connections reach another server; those that stand stay with the old one."""
        self.world.gather_slow_scripts()
        self.world.pair.fail_over()

    def ask_backlog(self) -> None:
        """`headrace backlog`: what the operator asks each second."""
        url = f"redis://127.0.0.1:{self.world.broker.port}"
        self._later(0.0, lambda: self.world.fleet.ask_backlog(url, self.world.stream))
