"""Real servers for the tests: Redis at the floor version and at 8, Valkey, on free ports.

A server dies with the process that started it (parent-death signal), so a killed test run leaves
none behind. Each has its own temporary directory, no persistence unless asked, and no other users.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
import redis

from headrace.streams.connect import Target
from tests.support import scratch
from tests.support.ports import free_port
from tests.support.valkey import newest_valkey_command, redis_8_command, valkey_command


def _redis_command() -> list[str]:
    found = shutil.which("redis-server")
    if not found:
        raise RuntimeError("redis-server is missing; install it: apt-get install redis-server")
    return [found]


KINDS = {"redis": _redis_command, "redis-8": redis_8_command, "valkey": valkey_command}
# For the few tests that try every server's own arithmetic.
ALL_KINDS = {**KINDS, "valkey-9": newest_valkey_command}


class RedisServer:
    """One server process; may be killed, frozen by its pid, and started again on its port."""

    def __init__(self, kind: str, *options: str) -> None:
        self.kind = kind
        self.options = options
        self.port = free_port()
        self.directory = scratch.directory("redis")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def target(self) -> Target:
        return Target(endpoints=(self.endpoint,))

    def start(self) -> "RedisServer":
        self.launch()
        self._wait_until_it_answers()
        return self

    def launch(self) -> None:
        """Start it, without a wait for its first answer."""
        log = (self.directory / "log").open("ab")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *ALL_KINDS[self.kind](), *self._arguments()],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        log.close()

    def _arguments(self) -> list[str]:
        return [
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)),
            *("--save", "", "--appendonly", "no", "--enable-debug-command", "yes"),
            *self.options,
        ]

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 20
        with redis.Redis(port=self.port, socket_timeout=1) as probe:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    break
                with contextlib.suppress(redis.RedisError):
                    probe.ping()
                    return
                time.sleep(0.01)
        raise RuntimeError(f"{self.kind} did not start: {(self.directory / 'log').read_text()}")

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def running(kind: str = "redis", *options: str) -> Iterator[RedisServer]:
    """A server of one's own, for tests that kill or configure it."""
    server = RedisServer(kind, *options)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session", params=list(KINDS))
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """One server of each kind for the whole session. Flush it before use."""
    with running(request.param) as server:
        yield server
