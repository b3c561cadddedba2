"""What a killed run left is swept by a later one, and nothing else is."""

import os
import time
from pathlib import Path

from tests.support import scratch

DAY = 24 * 3600.0
GONE = 2**22 + 1  # above the largest process id of Linux


def test_only_what_a_process_that_is_gone_left_a_day_ago_is_abandoned(tmp_path: Path) -> None:
    names = (
        f"headrace-redis-{GONE}-a",
        f"headrace-redis-{os.getpid()}-a",
        "headrace-redis-notes-a",
    )
    for name in names:
        (tmp_path / name).mkdir()

    assert scratch.abandoned(tmp_path, time.time()) == []
    later = time.time() + DAY + 60
    assert scratch.abandoned(tmp_path, later) == [tmp_path / f"headrace-redis-{GONE}-a"]


def test_a_directory_names_its_process() -> None:
    made = scratch.directory("unit")
    try:
        assert made.name.startswith(f"headrace-unit-{os.getpid()}-")
    finally:
        made.rmdir()
