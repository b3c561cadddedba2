"""`headrace peek` and `tail`: entries are read and decoded, and no group notices."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import at, url_of
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually_sync
from tests.support.workers import GROUP, STREAM, Stage

FIRST_MS = 1_795_680_000_000


def fill(stage: Stage, count: int, first: int = 0) -> None:
    """Every fourth is of another type; one second lies between them."""
    pipeline = stage.redis.pipeline(transaction=False)
    for n in range(first, first + count):
        kind = "late" if n % 4 == 0 else "landed"
        fields = {"type": kind, "version": 1, "payload": json.dumps({"n": n})}
        pipeline.xadd(STREAM, fields, id=f"{FIRST_MS + 1000 * n}-0")
    pipeline.execute()


def peeked(stage: Stage, *options: str) -> list[int]:
    done = at(stage.server, "peek", STREAM, "-o", "json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["payload"]["n"] for line in done.stdout.splitlines()]


def test_peek_shows_the_newest_the_oldest_or_from_a_place_on(stage: Stage) -> None:
    fill(stage, 1_500)
    assert peeked(stage, "-n", "3") == [1499, 1498, 1497]
    assert peeked(stage, "-n", "3", "--first") == [0, 1, 2]
    assert peeked(stage, "-n", "2", "--type", "late") == [1496, 1492]
    assert peeked(stage, "-n", "2", "--type", "late", "--from", f"{FIRST_MS + 1000}-0") == [4, 8]
    assert peeked(stage, "-n", "2", "--from", "2026-11-26T08:20:00") == [1200, 1201]
    assert peeked(stage, "--first", "-n", "2000") == list(range(1_500)), "page by page"
    nothing = at(stage.server, "peek", STREAM, "--type", "lost")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert nothing.stderr == "flights holds no entry of type lost\n"


def test_payloads_are_shown_as_what_they_are(stage: Stage) -> None:
    stage.redis.xadd(STREAM, {"type": "a", "version": 2, "payload": '{"x":\n1}', "id": "k"}, "1-1")
    stage.redis.xadd(STREAM, {"type": "b", "payload": b"\xff\x00"}, "1-2")
    stage.redis.xadd(STREAM, {"any": "field", "red": "\x1b[31m"}, "1-3")
    lines = at(stage.server, "peek", STREAM, "--first").stdout.splitlines()
    assert [line.split(maxsplit=2)[1:] for line in lines[1:3]] == [
        ["a/2", '{"x": 1}'],
        ["b", "(2 bytes that are no text)"],
    ]
    assert "any=field" in lines[3]
    assert "\x1b" not in lines[3]
    told = at(stage.server, "peek", STREAM, "--first", "-o", "json").stdout.splitlines()
    first, second, third = (json.loads(line) for line in told)
    assert first == {
        "id": "1-1",
        "time": None,
        "type": "a",
        "version": "2",
        "payload": {"x": 1},
        "fields": {"id": "k"},
    }
    assert second["payload"] == {"base64": "/wA="}
    assert (third["type"], third["fields"]["any"], "payload" in third) == (None, "field", False)


def test_an_apps_deserializers_read_what_is_no_json(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "reading.py").write_text(
        "import headrace\n"
        "app = headrace.App()\n"
        "@app.deserializer('b')\n"
        "def read(payload: bytes) -> dict: return {'length': 1 // len(payload)}\n"
        "@app.on('b')\n"
        "async def b(event: dict): ...\n"
    )
    for payload in (b"\xff", b""):
        stage.redis.xadd(STREAM, {"type": "b", "payload": payload})
    done = subprocess.run(
        [sys.executable, "-m", "headrace", "peek", STREAM, "--app", "reading:app", "-o", "json"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HEADRACE_REDIS_URL": url_of(stage.server)},
    )
    failed, read = (json.loads(line)["payload"] for line in done.stdout.splitlines())
    assert read == {"length": 1}
    assert failed["error"].startswith("ZeroDivisionError")
    wrong = at(stage.server, "peek", STREAM, "--app", "nowhere:app")
    assert (wrong.returncode, "there is no module 'nowhere'" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("command", ["peek", "tail"])
def test_wrong_input_is_a_sentence(stage: Stage, command: str) -> None:
    stage.redis.set("text", "x")
    stage.redis.xadd(STREAM, {"type": "a"}, "5-1")
    for arguments, code, said in (
        (["nothing"], 1, "there is no stream nothing at"),
        (["text"], 1, "key 'text' holds a string, not a stream"),
        (["a}b"], 2, "needs a name without"),
        ([STREAM, "--from", "yesterday"], 2, "'yesterday' is neither an id nor a time"),
        ([STREAM, "--from", "2h"], 2, "the ids of flights are no clock; say an id"),
    ):
        done = at(stage.server, command, *arguments)
        assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (code, "", False)
        assert said in done.stderr


class Tail:
    """`headrace tail` as a process whose lines are read while it runs."""

    def __init__(self, server: RedisServer, directory: Path, *options: str) -> None:
        self.out, self.err = directory / "out", directory / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "headrace"),
                    *("tail", STREAM, "-o", "json", *options),
                ],
                stdout=out,
                stderr=err,
                env={**os.environ, "HEADRACE_REDIS_URL": url_of(server)},
            )

    @property
    def numbers(self) -> list[int]:
        lines = self.out.read_text().splitlines(keepends=True)
        whole: list[Any] = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line["payload"]["n"] for line in whole]

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)


@contextlib.contextmanager
def tail(server: RedisServer, directory: Path, *options: str) -> Iterator[Tail]:
    one = Tail(server, directory, *options)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()


def test_tail_follows_from_a_place_on_and_ends_with_ctrl_c(stage: Stage, tmp_path: Path) -> None:
    fill(stage, 10)
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    before = stage.redis.xinfo_groups(STREAM)
    with tail(stage.server, tmp_path, "--from", f"{FIRST_MS + 7000}-0", "--type", "landed") as one:
        eventually_sync(lambda: one.numbers == [7, 9])
        fill(stage, 700, first=10)
        eventually_sync(lambda: len(one.numbers) == 2 + 525)
        assert one.interrupt() == 130
        assert one.err.read_text() == ""
    (after,) = stage.redis.xinfo_groups(STREAM)
    assert (after["pending"], after["consumers"]) == (0, 0)
    assert after["last-delivered-id"] == before[0]["last-delivered-id"]


def test_tail_survives_a_restart_of_redis_and_misses_nothing(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    with running(redis_server.kind, "--appendonly", "yes") as server:
        stage = Stage(server)
        fill(stage, 5)
        with tail(server, tmp_path, "--from", "0") as one:
            eventually_sync(lambda: one.numbers == [0, 1, 2, 3, 4])
            server.kill()
            eventually_sync(lambda: "trying again" in one.err.read_text())
            server.start()
            fill(stage, 5, first=5)
            eventually_sync(lambda: one.numbers == list(range(10)))
            assert one.interrupt() == 130
        said = one.err.read_text()
        assert "Redis answers again" in said
        assert (said.count("trying again"), "Traceback" in said) == (1, False)


def test_tail_begins_at_the_end_unless_told(stage: Stage, tmp_path: Path) -> None:
    fill(stage, 5)
    with tail(stage.server, tmp_path) as one:
        name = "headrace"
        eventually_sync(lambda: any(c["name"] == name for c in stage.redis.client_list()))
        # It has begun once it asks for entries.
        eventually_sync(
            lambda: any(
                c["name"] == name and c["cmd"] == "xrange" for c in stage.redis.client_list()
            )
        )
        fill(stage, 2, first=5)
        eventually_sync(lambda: one.numbers == [5, 6])


def test_a_right_that_is_missing_ends_it(stage: Stage) -> None:
    stage.send(1)
    rules = ["+ping", "+type", "+xinfo", "~*"]
    stage.redis.execute_command("ACL", "SETUSER", "blind", "on", ">pw", *rules)
    url = f"redis://blind:pw@{stage.server.endpoint}/0"
    for command in ("peek", "tail"):
        done = at(stage.server, command, STREAM, "--url", url)
        assert (done.returncode, "docs/redis-user.md" in done.stderr) == (1, True), done.stderr
    stage.redis.acl_deluser("blind")
