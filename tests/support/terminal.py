"""A command on a terminal of 80 columns, as a person sees it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios

from tests.support.command_line import url_of
from tests.support.redis_servers import RedisServer

COLUMNS, ROWS = 80, 24
SECONDS = 60


class Screen:
    """`text`: all that was written, without the terminal's carriage returns. `code`: the exit's."""

    def __init__(self, server: RedisServer, *arguments: str, **environment: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        kept |= {"TERM": "xterm-256color", "HEADRACE_REDIS_URL": url_of(server)}
        self._ours = ours
        self._written = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "headrace", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=kept | environment,
            start_new_session=True,
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        return self._written.decode().replace("\r\n", "\n")

    def wait_for(self, words: str, times: int = 1) -> None:
        while self.text.count(words) < times:
            assert self._read(), f"it ended without {words!r}: {self.text}"

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Its exit code, once it has ended by itself."""
        while self._read():
            pass
        return self._process.wait(SECONDS)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def _read(self) -> bool:
        """False at the end, which Linux tells by an error."""
        with contextlib.suppress(OSError):
            more = os.read(self._ours, 65_536)
            self._written += more
            return bool(more)
        return False
