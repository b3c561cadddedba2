"""The `headrace` command as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TypeAlias

from tests.support.redis_servers import RedisServer

SECONDS = 60
Done: TypeAlias = subprocess.CompletedProcess[str]


def url_of(server: RedisServer, database: int = 0) -> str:
    return f"redis://{server.endpoint}/{database}"


def headrace(*arguments: str, stdin: str = "", **environment: str) -> Done:
    """Runs it to its end, on a wide screen, with more variables than this process has."""
    return subprocess.run(
        [sys.executable, "-m", "headrace", *arguments],
        input=stdin,
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def at(
    server: RedisServer, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same with that server's address in the environment."""
    return headrace(*arguments, HEADRACE_REDIS_URL=url_of(server), **environment)
