"""The regression guard: the worker beside a raw redis-py loop, short and paired."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(90)
def test_the_worker_keeps_its_share_of_a_raw_loops_speed() -> None:
    """Fails when in no round single or batch reached 0.8 of its bound in `bench.worker`."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.worker", "--guard"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
