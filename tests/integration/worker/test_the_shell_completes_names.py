"""The shell's completion: commands, streams and groups; quick, and silent whatever is wrong."""

import os
import socket
import subprocess
import sys
import time

import pytest
from tests.support.command_line import url_of
from tests.support.workers import GROUP, STREAM, Stage

MOST_SECONDS = 5.0
"""A second of looking, and the start of a process on a busy machine."""


def completed(line: str, **environment: str) -> list[str]:
    """What bash would offer for the last word of the line."""
    words = line.split(" ")
    environment |= {
        "_HEADRACE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE")}
    done = subprocess.run(
        [sys.executable, "-c", "from headrace.cli import app; app(prog_name='headrace')"],
        check=False,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        env={**kept, **environment},
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_are_offered() -> None:
    assert completed("headrace pe") == ["pending", "peek"]


@pytest.fixture
def filled(stage: Stage) -> Stage:
    for stream in (STREAM, "flights:late", "bookings"):
        stage.redis.xadd(stream, {"a": 1})
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xgroup_create(STREAM, "audit", "0")
    stage.redis.xgroup_create("bookings", "mail", "0")
    stage.redis.set("flag", "x")
    return stage


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("headrace backlog fl", ["flights", "flights:late"]),
        ("headrace tail b", ["bookings"]),
        ("headrace dead list --stream b", ["bookings"]),
        ("headrace backlog flights ", ["audit", GROUP]),
        ("headrace backlog flights d", [GROUP]),
        ("headrace pending bookings --group ", ["mail"]),
        ("headrace release flights a", ["audit"]),
        ("headrace dead replay --stream flights --group d", [GROUP]),
        ("headrace pending nothing --group ", []),
        ("headrace pending flag --group ", []),
    ],
)
def test_streams_and_their_groups_are_offered(filled: Stage, line: str, words: list[str]) -> None:
    assert completed(line, HEADRACE_REDIS_URL=url_of(filled.server)) == words


def test_the_url_of_the_line_counts(filled: Stage) -> None:
    assert completed(f"headrace tail --url {url_of(filled.server)} b") == ["bookings"]


def test_without_a_redis_nothing_is_said() -> None:
    for url in ("", "redis://127.0.0.1:1/0", "redis://nobody.invalid:6379", "no url"):
        assert completed("headrace backlog fl", HEADRACE_REDIS_URL=url) == []


def test_a_redis_that_does_not_answer_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        assert completed("headrace backlog fl", HEADRACE_REDIS_URL=url) == []
        assert time.monotonic() - began < MOST_SECONDS
