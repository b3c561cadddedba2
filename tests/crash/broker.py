"""A server of one of the tested kinds, to kill and start again on the same port and data."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import redis

from tests.support.ports import free_port

START_SECONDS = 20.0
SYNC_SECONDS = 1.0
"""What appendfsync everysec may leave unsynced; a power cut takes it."""
SLOW_MICROSECONDS = 2_000
"""From here on the server notes a command in its SLOWLOG."""


class Broker:
    """One server with an append-only file; `fsync` is Redis's appendfsync, `users` ACL lines.

    A killed process loses nothing that it wrote, synced or not. With everysec a kill therefore also
    cuts off what was appended in the last second, as a power cut would.
    """

    def __init__(
        self,
        directory: Path,
        command: list[str],
        *,
        fsync: str = "always",
        seed: int = 0,
        users: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.command = command
        self.fsync = fsync
        self.users = users
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.forgotten_bytes = 0
        self.options: Sequence[str] = ()
        self.ready: Callable[[redis.Redis], bool] = lambda client: bool(client.ping())
        """Whether a server that was started serves."""
        self._random = random.Random(f"broker/{seed}")
        self._sizes: deque[tuple[float, int]] = deque(maxlen=200)

    def client(self) -> redis.Redis:
        """A direct connection that passes no proxy."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=30)

    def start(self) -> None:
        """Start the server and wait until it has loaded its data."""
        self._sizes.clear()
        self.process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *self.command,
                *("--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self.directory), "--save", "", "--appendonly", "yes"),
                *("--appendfsync", self.fsync, "--auto-aof-rewrite-percentage", "0"),
                # DEBUG SLEEP is one of the faults
                *("--daemonize", "no", "--enable-debug-command", "yes"),
                *("--slowlog-log-slower-than", str(SLOW_MICROSECONDS)),
                *("--slowlog-max-len", "10000"),
                *self.options,
                *(word for user in self.users for word in ("--user", *user.split())),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError), self.client() as client:
                if self.ready(client):
                    return
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}")
            time.sleep(0.02)
        raise RuntimeError("the server did not answer in time")

    def note_size(self) -> None:
        """Remember how long the append-only file is now; called many times a second."""
        if self.fsync == "everysec" and (log := self._log()):
            with contextlib.suppress(OSError):
                self._sizes.append((time.monotonic(), log.stat().st_size))

    def kill(self) -> None:
        """SIGKILL; with everysec, what was written of late is lost too."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None
        if self.fsync == "everysec":
            self._forget(self._random.uniform(0.0, SYNC_SECONDS))

    def _forget(self, seconds: float) -> None:
        before = time.monotonic() - seconds
        synced = [size for at, size in self._sizes if at <= before]
        log = self._log()
        if synced and log and (lost := log.stat().st_size - synced[-1]) > 0:
            with log.open("r+b") as file:
                file.truncate(synced[-1])
            self.forgotten_bytes += lost

    def _log(self) -> Path | None:
        return next(self.directory.glob("appendonlydir/*.incr.aof"), None)
