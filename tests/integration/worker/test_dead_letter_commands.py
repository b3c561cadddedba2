"""`headrace dead`: what failed is seen, sent back to its own group, or deleted on purpose."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import DEAD, GROUP, STREAM, Stage, worker

import headrace

OTHER = "audit"


def letter(stage: Stage, n: int, group: str = GROUP, error: str = "no such carrier", **more) -> str:
    """A dead letter as the commit writes it."""
    fields = {
        "original_id": f"{n + 1}-0",
        "original_stream": STREAM,
        "group": group,
        "type": "flight.landed",
        "version": "1",
        "error": error,
        "error_type": "Reject",
        "consumer": "pod-a-1",
        "attempts": "1",
        "crashes": "0",
        "first_seen": "1795713107825",
        "dead_at": "1795713107999",
        "f:type": "flight.landed",
        "f:version": "1",
        "f:payload": json.dumps({"n": n}),
        **more,
    }
    return stage.redis.xadd(DEAD, fields).decode()


def groups_exist(stage: Stage, *groups: str) -> None:
    for group in groups:
        replay = f"headrace:{{{STREAM}}}:replay:{group}:{STREAM}"
        stage.redis.xgroup_create(STREAM, group, "0", mkstream=True)
        stage.redis.xgroup_create(replay, group, "0", mkstream=True)


def replayed(stage: Stage, group: str) -> list[bytes]:
    replay = f"headrace:{{{STREAM}}}:replay:{group}:{STREAM}"
    return [fields[b"original_id"] for _, fields in stage.redis.xrange(replay)]


def dead(stage: Stage, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headrace", "dead", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "COLUMNS": "160",
            "HEADRACE_REDIS_URL": f"redis://{stage.server.endpoint}/0",
        },
        **options,
    )


def test_what_failed_is_counted_by_group_type_and_error(stage: Stage) -> None:
    for n in range(30):
        letter(stage, n)
    newest = letter(stage, 30, group=OTHER, error="KeyError('price')\nwith a second line")
    table = dead(stage, "list", "-s", STREAM).stdout
    assert f"{DEAD}: 31 dead letters" in table
    assert table.index("no such carrier") < table.index("KeyError('price')"), "most frequent first"
    rows = json.loads(dead(stage, "list", "-s", STREAM, "-o", "json").stdout)
    assert [(row["count"], row["group"]) for row in rows] == [(30, GROUP), (1, OTHER)]
    assert rows[1]["newestId"] == newest
    assert rows[1]["error"] == "KeyError('price')"
    nobody = dead(stage, "list", "-s", STREAM, "--group", "nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert nobody.stderr == f"headrace: stream {STREAM} has no group nobody\n"
    groups_exist(stage, "idle")
    idle = dead(stage, "list", "-s", STREAM, "--group", "idle")
    assert (idle.returncode, "0 dead letters" in idle.stdout) == (0, True)


def test_each_letter_has_its_line_and_one_is_shown_whole(stage: Stage) -> None:
    ids = [letter(stage, n) for n in range(5)]
    odd = letter(stage, 5, error="\x1b[31mred", **{"f:blob": b"\xff\x00", "f:payload": "\x1b[2J"})
    lines = dead(stage, "list", "-s", STREAM, "--each").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", *ids, odd]
    assert "\x1b" not in "".join(lines)
    few = dead(stage, "list", "-s", STREAM, "--each", "--limit", "2")
    assert len(few.stdout.splitlines()) == 3
    assert "there are more" in few.stderr
    told = dead(stage, "list", "-s", STREAM, "--each", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in told] == [*ids, odd]

    shown = dead(stage, "show", ids[0], "-s", STREAM).stdout
    assert "no such carrier" in shown
    assert '"n": 0' in shown
    assert "\x1b" not in dead(stage, "show", odd, "-s", STREAM).stdout
    whole = json.loads(dead(stage, "show", odd, "-s", STREAM, "-o", "json").stdout)
    assert whole["fields"]["blob"] == {"base64": "/wA="}
    assert whole["deadAt"] == "2026-11-26T17:11:47.999+00:00"
    missing = dead(stage, "show", "1-1", "-s", STREAM)
    assert (missing.returncode, "there is no dead letter 1-1" in missing.stderr) == (1, True)


def test_a_replay_reaches_the_group_that_failed_and_no_other(stage: Stage) -> None:
    groups_exist(stage, GROUP, OTHER)
    mine = [letter(stage, n) for n in range(3)]
    letter(stage, 3, group=OTHER)
    dry = dead(stage, "replay", "--all", "--dry-run", "-s", STREAM)
    assert "would replay 4 dead letters" in dry.stdout
    assert stage.redis.xlen(DEAD) == 4
    done = dead(stage, "replay", mine[0], mine[2], "-s", STREAM)
    assert (done.returncode, done.stdout) == (0, f"replayed 2 dead letters of {STREAM}\n")
    assert replayed(stage, GROUP) == [b"1-0", b"3-0"]
    assert dead(stage, "replay", "--error", "carrier", "-s", STREAM).returncode == 0
    assert replayed(stage, GROUP) == [b"1-0", b"3-0", b"2-0"]
    assert replayed(stage, OTHER) == [b"4-0"]
    assert stage.redis.xlen(DEAD) == 0


def test_letters_of_a_group_that_is_not_there_stay(stage: Stage) -> None:
    groups_exist(stage, GROUP)
    letter(stage, 0)
    left = letter(stage, 1, group=OTHER)
    letter(stage, 2, group="a:b")
    done = dead(stage, "replay", "--all", "-s", STREAM)
    assert done.returncode == 1
    assert "replayed 1 dead letter" in done.stdout
    assert f"left {left}: group 'audit' does not exist on the server" in done.stderr
    assert "2 letters were left where they are" in done.stderr
    assert stage.redis.xlen(DEAD) == 2


def test_a_replay_that_is_killed_loses_and_doubles_nothing(stage: Stage) -> None:
    groups_exist(stage, GROUP)
    for n in range(3000):
        letter(stage, n)
    process = subprocess.Popen(
        [sys.executable, "-m", "headrace", "dead", "replay", "--all", "-s", STREAM],
        env={**os.environ, "HEADRACE_REDIS_URL": f"redis://{stage.server.endpoint}/0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually_sync(lambda: len(replayed(stage, GROUP)) > 100)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < stage.redis.xlen(DEAD) < 3000
    assert dead(stage, "replay", "--all", "-s", STREAM).returncode == 0
    assert stage.redis.xlen(DEAD) == 0
    assert sorted(replayed(stage, GROUP)) == sorted(b"%d-0" % (n + 1) for n in range(3000))


async def test_what_fails_again_meanwhile_is_not_replayed_for_ever(stage: Stage) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        raise headrace.Reject("still no such carrier")

    stage.send(*({"n": n} for n in range(20)))
    async with worker(stage, app):
        await eventually(lambda: stage.redis.xlen(DEAD) == 20)
        done = await asyncio.to_thread(dead, stage, "replay", "--all", "-s", STREAM)
        assert done.stdout == "replayed 20 dead letters of flights\n"
        await eventually(lambda: stage.redis.xlen(DEAD) == 20)
    assert {one[b"error"][:5] for one in stage.dead} == {b"still"}


def test_a_purge_asks_first_and_deletes_only_what_was_chosen(stage: Stage) -> None:
    ids = [letter(stage, n) for n in range(4)]
    letter(stage, 9, group=OTHER)
    unasked = dead(stage, "purge", "--group", GROUP, "-s", STREAM)
    assert (unasked.returncode, "add --yes" in unasked.stderr) == (2, True)
    assert stage.redis.xlen(DEAD) == 5
    dry = dead(stage, "purge", "--group", GROUP, "-s", STREAM, "--dry-run")
    assert "would delete 4 dead letters" in dry.stdout
    done = dead(stage, "purge", ids[1], "-s", STREAM, "--yes")
    assert "deleted 1 dead letter" in done.stdout
    assert "deleted 3" in dead(stage, "purge", "--group", GROUP, "-s", STREAM, "-y").stdout
    assert [one[b"group"] for one in stage.dead] == [OTHER.encode()]


def test_the_dead_letter_stream_may_have_a_name_of_its_own(stage: Stage) -> None:
    groups_exist(stage, GROUP)
    letter(stage, 0)
    stage.redis.rename(DEAD, "my-dead-letters")
    options = ("-s", STREAM, "--dead-letters", "my-dead-letters")
    assert "my-dead-letters: 1 dead letter" in dead(stage, "list", *options).stdout
    assert dead(stage, "replay", "--all", *options).returncode == 0
    assert replayed(stage, GROUP) == [b"1-0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["replay", "-s", STREAM],
            "say which letters: ids, --group, --type, --error, --since, or --all",
        ),
        (["purge", "--all", "--type", "x", "-s", STREAM], "--all beside another choice"),
        (["replay", "banana", "-s", STREAM], "'banana' is no id of a dead letter"),
        (["show", "1-2-3", "-s", STREAM], "'1-2-3' is no id of a dead letter"),
        (["show", f"{2**64}-0", "-s", STREAM], "-0' is no id of a dead letter"),
        (["list"], "name the stream: only HEADRACE_CONFIG would tell which"),
        (["list", "-s", "a}b"], "needs a name without"),
        (["list", "-s", STREAM, "-o", "xml"], "'xml' is not one of"),
        (["list", "-s", STREAM, "--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_input_is_a_sentence(stage: Stage, arguments: list[str], said: str) -> None:
    done = dead(stage, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_large_letters_are_read_in_flat_memory(stage: Stage) -> None:
    """60 letters of 2 MB: many times what one page may hold."""
    for n in range(60):
        letter(stage, n, **{"f:payload": "x" * 2_000_000})
    # ru_maxrss would count the test process, too, from which this one was forked.
    peak = "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    code = f"import re; from headrace.cli import app; app(standalone_mode=False); {peak}"
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, "dead", "list", "-s", STREAM],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "HEADRACE_REDIS_URL": f"redis://{stage.server.endpoint}/0"},
    )
    assert int(done.stdout.splitlines()[-1]) < 160 * 1024, "KiB"
    assert time.monotonic() - started < 60


def test_letters_are_chosen_by_type_version_and_time(stage: Stage) -> None:
    letter(stage, 0, version="2")
    letter(stage, 1)
    other = letter(stage, 2, type="flight.diverted")

    def found(*filters: str) -> int:
        told = dead(stage, "list", "-s", STREAM, "-o", "json", *filters).stdout
        return sum(row["count"] for row in json.loads(told))

    assert [found("--event-version", "2"), found("--since", "1h"), found("--until", "1h")] == [
        1,
        3,
        0,
    ]
    types = ("flight.landed", "flight.diverted", "flight.", "-")
    assert [found("--type", one) for one in types] == [2, 1, 0, 0], "the whole type"
    assert found("--type", "flight.landed", "--event-version", "2") == 1
    each = dead(stage, "list", "-s", STREAM, "--each", "-t", "flight.diverted", "-o", "json")
    assert [json.loads(line)["id"] for line in each.stdout.splitlines()] == [other]
    wrong = dead(stage, "list", "-s", STREAM, "--since", "yesterday")
    assert (wrong.returncode, "write 2h for two hours ago" in wrong.stderr) == (2, True)


async def test_a_letter_that_failed_again_says_how_often_it_was_replayed(stage: Stage) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        raise headrace.Reject("no such carrier")

    stage.send({"n": 1})
    async with worker(stage, app):
        for replays in (None, b"1", b"2"):
            await eventually(lambda: stage.redis.xlen(DEAD) == 1)
            assert stage.dead[0].get(b"replays") == replays
            await asyncio.to_thread(dead, stage, "replay", "--all", "-s", STREAM)


def test_one_letter_may_be_mended_on_the_way(stage: Stage, tmp_path: Path) -> None:
    groups_exist(stage, GROUP)
    broken, other = letter(stage, 0), letter(stage, 1)
    mended = tmp_path / "mended.json"
    mended.write_text('{"n": "mended"}\n')
    both = dead(stage, "replay", broken, other, "--payload", str(mended), "-s", STREAM)
    assert (both.returncode, "--payload is for one letter" in both.stderr) == (2, True)
    assert dead(stage, "replay", broken, "--payload", str(mended), "-s", STREAM).returncode == 0
    ((_, fields),) = stage.redis.xrange(f"headrace:{{{STREAM}}}:replay:{GROUP}:{STREAM}")
    assert (fields[b"f:payload"], fields[b"f:type"]) == (b'{"n": "mended"}', b"flight.landed")
    assert stage.redis.xlen(DEAD) == 1


def test_an_export_puts_letters_back_byte_for_byte(stage: Stage, tmp_path: Path) -> None:
    letter(stage, 0, **{"f:blob": b"\xff\x00", "f:a b": "\u00e9", "replays": "3"})
    letter(stage, 1)
    before = stage.dead
    file = tmp_path / "letters.ndjson"
    file.write_text(dead(stage, "export", "-s", STREAM).stdout)
    still_there = dead(stage, "import", str(file), "-s", STREAM)
    assert still_there.stdout == f"imported 0 dead letters of {STREAM}\n"
    stage.redis.delete(DEAD)
    done = dead(stage, "import", str(file), "-s", STREAM)
    assert (done.returncode, done.stdout) == (0, f"imported 2 dead letters of {STREAM}\n")
    assert stage.dead == before
    exported = json.loads(file.read_text().splitlines()[0])
    for odd in ({}, exported | {"fields": [["id", None]]}, exported | {"group": None}):
        file.write_text(json.dumps(odd) + "\n")
        wrong = dead(stage, "import", str(file), "-s", STREAM)
        assert (wrong.returncode, "line 1 is no letter" in wrong.stderr) == (2, True)
        assert "0 lines done; go on with --skip 0" in wrong.stderr
    assert stage.dead == before
    stage.redis.delete(DEAD)
    file.write_text(f"{json.dumps(exported)}\n" * 150 + "{}\n")
    torn = dead(stage, "import", str(file), "-s", STREAM)
    assert torn.stdout == f"imported 100 dead letters of {STREAM}\n", "a batch, and no part of one"
    assert torn.stderr.splitlines()[1] == "100 lines done; go on with --skip 100"


def test_a_replay_keeps_to_its_rate(stage: Stage) -> None:
    groups_exist(stage, GROUP)
    for n in range(30):
        letter(stage, n)
    began = time.monotonic()
    assert dead(stage, "replay", "--all", "--rate", "20", "-s", STREAM).returncode == 0
    assert time.monotonic() - began >= 1.5
    assert len(replayed(stage, GROUP)) == 30
