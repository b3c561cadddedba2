"""What the pages print below `$ headrace ...` is what the commands print, word for word.

The commands of a page run in order on one Redis, beside the files that it shows. Ages differ from
day to day, and are not compared.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.worker.sample_streams import fill
from tests.support.redis_servers import RedisServer
from tests.support.workers import Stage

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```yaml\n(# (\S+)\n.*?)^```", re.MULTILINE | re.DOTALL)
AGE = re.compile(r"(?<![\w:.-])[\d.]+[smhd](?![\w-])")


VERSION = re.compile(r"\b(redis|valkey) \d+\.\d+\.\d+(; after a trim .*)?")


def shown(page: Path) -> list[tuple[str, str]]:
    """(command, output) of each `$ ` line."""
    found = []
    for block in BLOCK.findall(page.read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def words(text: str) -> list[list[str]]:
    return [
        line.split()
        for line in VERSION.sub("VERSION", AGE.sub("AGE", text)).splitlines()
        if line.strip()
    ]


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
    examples = shown(ROOT / "docs" / page)
    assert len(examples) > 4
    for command, output in examples:
        done = subprocess.run(
            ["bash", "-c", command],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=tmp_path,
        )
        said = (done.stdout + done.stderr).replace(redis_server.endpoint, "localhost:6379")
        assert words(said) == words(output), command
