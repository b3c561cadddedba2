"""What the pages print below `$ headrace ...` is what the commands print, word for word.

The commands of a page run in order on one Redis, beside the files that it shows. Ages differ from
day to day, and are not compared; neither is the memory of another server than the page's. Below a
command that runs until Ctrl-C stands `^C`, as on a terminal.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.worker.sample_streams import fill
from tests.support.redis_servers import RedisServer
from tests.support.waiting import eventually_sync
from tests.support.workers import Stage

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```yaml\n(# (\S+)\n.*?)^```", re.MULTILINE | re.DOTALL)
AGE = re.compile(r"(?<![\w:.-])[\d.]+[smhd](?![\w-])")
SIZE = re.compile(r"[\d.]+ [KMG]?i?B\b")
USED = re.compile(r"^(the server) +[\d.]+ [KMG]?i?B", re.MULTILINE)
SHOWN_KIND = "redis"
VERSION = re.compile(r"\b(redis|valkey) \d+\.\d+\.\d+(; after a trim .*)?")


def shown(page: Path) -> list[tuple[str, str]]:
    """(command, output) of each `$ ` line."""
    found = []
    for block in BLOCK.findall(page.read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def words(text: str, kind: str) -> list[list[str]]:
    text = VERSION.sub("VERSION", AGE.sub("AGE", text))
    text = USED.sub(r"\1 SIZE", text) if kind == SHOWN_KIND else SIZE.sub("SIZE", text)
    return [line.split() for line in text.splitlines() if line.strip()]


def said(command: str, environment: dict[str, str], directory: Path, lines: int | None) -> str:
    """What it prints, on both streams; with `lines`, until Ctrl-C after so many."""
    printed = directory / "printed"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            cwd=directory,
        )
    try:
        if lines is None:
            process.wait(100)
        else:
            eventually_sync(
                lambda: process.poll() is not None or printed.read_text().count("\n") >= lines
            )
            process.send_signal(signal.SIGINT)  # bash has become the one command
            assert process.wait(30) == 130
            return f"{printed.read_text()}^C\n"
        return printed.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("page", ["dead-letters.md", "command-line.md"])
def test_the_output_of_each_command(redis_server: RedisServer, page: str, tmp_path: Path) -> None:
    stage = Stage(redis_server)
    fill(stage.redis)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "HEADRACE_REDIS_URL": f"redis://{redis_server.endpoint}/0",
    }
    for content, name in FILE.findall((ROOT / "docs" / page).read_text("utf-8")):
        (tmp_path / name).write_text(content)
    examples, kind = shown(ROOT / "docs" / page), redis_server.kind
    assert len(examples) > 4
    for command, output in examples:
        lines = output.count("\n", 0, output.find("^C")) if "^C" in output else None
        told = said(command, environment, tmp_path, lines)
        told = told.replace(redis_server.endpoint, "localhost:6379")
        assert words(told, kind) == words(output, kind), command
