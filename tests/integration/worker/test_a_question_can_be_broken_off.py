"""Ctrl-C at a question, or while a line is waited for, ends the command; nothing is done."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import headrace, url_of
from tests.support.waiting import eventually_sync
from tests.support.workers import DEAD, GROUP, STREAM, Stage

STATE = f"headrace:{{{STREAM}}}:state:{GROUP}:{STREAM}"


@pytest.fixture
def filled(stage: Stage) -> Stage:
    stage.send(*range(30))
    stage.redis.xgroup_create(STREAM, GROUP, "$")
    stage.redis.xadd(DEAD, {"group": GROUP})
    stage.redis.hset(STATE, "owner", "airport/old/uid-1")
    return stage


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (["trim", STREAM, "--max-length", "3"], "Remove 27 entries of 30 of flights for good?"),
        (["dead", "purge", "--all", "-s", STREAM], "Delete 1 dead letter of flights for good?"),
        (["release", STREAM, GROUP], "may another have the group?"),
        (["send", STREAM, "-t", "x"], "Ctrl-D ends"),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_ctrl_c_changes_nothing(
    filled: Stage, tmp_path: Path, command: list[str], question: str
) -> None:
    ours, theirs = pty.openpty()
    said = tmp_path / "stderr"
    with contextlib.closing(os.fdopen(ours, "wb")), said.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "headrace", *command],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=err,
            env={**os.environ, "HEADRACE_REDIS_URL": url_of(filled.server)},
        )
        os.close(theirs)
        try:
            eventually_sync(lambda: question in said.read_text())
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
        finally:
            process.kill()
    assert "Traceback" not in said.read_text()
    assert (filled.redis.xlen(STREAM), filled.redis.xlen(DEAD)) == (30, 1)
    assert filled.redis.hget(STATE, "owner") == b"airport/old/uid-1"


def test_a_pipe_that_ends_is_a_no(filled: Stage) -> None:
    done = headrace("release", STREAM, GROUP, HEADRACE_REDIS_URL=url_of(filled.server))
    told = "headrace: nothing was changed; add --yes where nobody is there to ask\n"
    assert (done.returncode, done.stderr.endswith(told)) == (2, True)
