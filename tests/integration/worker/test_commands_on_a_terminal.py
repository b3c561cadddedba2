"""What a person sees: 80 columns, no colours, a sign of life after a second, live tables."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.worker.sample_streams import DEAD, fill
from tests.support.command_line import at, headrace
from tests.support.redis_servers import RedisServer, running
from tests.support.redis_tls import listen_with_tls, make_certificates
from tests.support.terminal import COLUMNS, Screen
from tests.support.workers import GROUP, STREAM, Stage

LOOKS = [
    "streams",
    "backlog flights",
    "backlog flights nobody",
    "pending flights",
    "pending flights --entries",
    "peek flights --count 3",
    "check flights",
    "plan --rate 500/s --payload 1KiB --retention 24h",
    "trim flights --max-length 10 --dry-run",
    "dead list -s flights",
    "dead list -s flights --each --limit 5",
    "--help",
    "dead --help",
    "trim --help",
    "peek nothing",
    "backlog",
    "nothing",
]
WITH_OUTPUT = [
    *("streams", "backlog flights", "pending flights", "peek flights", "tail flights"),
    *("check", "plan --retention 1h", "validate x", "render x"),
    *("dead list -s flights", "dead show 1-1 -s flights"),
]


@pytest.fixture(scope="module")
def filled() -> Iterator[RedisServer]:
    """With payloads, errors and consumers that are longer than a line."""
    with running("redis") as server:
        stage = Stage(server)
        fill(stage.redis)
        long = {"type": "flight.landed", "version": 1, "payload": json.dumps({"text": "x" * 500})}
        ids = [stage.redis.xadd(STREAM, long) for _ in range(3)]
        stage.redis.xreadgroup("audit", f"flights-audit-{'7' * 60}", {STREAM: ">"}, count=300)
        letter = {"group": GROUP, "type": "flight.landed", "error": f"ValueError: {'y' * 300}"}
        stage.redis.xadd(DEAD, {"original_id": ids[0], "original_stream": STREAM, **letter})
        yield server


@pytest.mark.parametrize("command", LOOKS)
def test_a_screen_of_80_columns_is_enough_and_nothing_is_coloured(
    filled: RedisServer, command: str
) -> None:
    with closing(Screen(filled, *command.split(), FORCE_COLOR="1")) as screen:
        screen.end()
    assert screen.text.strip()
    assert [line for line in screen.text.splitlines() if len(line) > COLUMNS] == []
    assert "\x1b[3" not in screen.text.replace("\x1b[K", "")
    assert "Traceback" not in screen.text


def test_in_a_pipe_rows_are_plain_and_whole(filled: RedisServer) -> None:
    done = at(filled, "peek", "flights", "--count", "1", NO_COLOR="1", COLUMNS="80")
    assert "x" * 500 in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("command", WITH_OUTPUT)
def test_another_output_than_the_known_ones_is_refused(filled: RedisServer, command: str) -> None:
    done = at(filled, *command.split(), "-o", "junk")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'junk' is not one of" in done.stderr


def test_a_live_table_is_drawn_again_until_ctrl_c(stage: Stage) -> None:
    stage.send(*range(3))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    with closing(Screen(stage.server, "backlog", STREAM, "--watch")) as screen:
        screen.wait_for("flights: 3 entries")
        stage.send(3)
        screen.wait_for("flights: 4 entries")
        screen.interrupt()
        assert screen.end() == 130
    first, second, *_ = screen.text.split("\x1b[H\x1b[J")[1:]
    assert f"{GROUP}    3" in first
    assert f"{GROUP}    4" in second
    assert "Traceback" not in screen.text


@pytest.mark.parametrize(
    "command",
    ["streams", "backlog flights", "check", "dead list -s flights", "send flights -t x -f FILE"],
)
def test_who_waits_longer_than_a_second_is_told_for_what(tmp_path: Path, command: str) -> None:
    """A server that takes the connection and never answers."""
    file = tmp_path / "events.ndjson"
    file.write_text("{}\n")
    words = command.replace("FILE", str(file)).split()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with closing(Silent(where, *words)) as screen:
            screen.wait_for("waiting for Redis")
            waited = time.monotonic() - began
    assert where in screen.text
    assert waited > 0.9, "not for one that answers at once"


class Silent(Screen):
    """Of a server that is only an address."""

    def __init__(self, where: str, *arguments: str) -> None:
        super().__init__(RedisServer("redis"), *arguments, HEADRACE_REDIS_URL=f"redis://{where}/0")


@pytest.mark.parametrize(
    "command",
    [
        *("streams", "backlog flights", "pending flights", "peek flights", "check flights"),
        *("plan flights --rate 1/s --retention 1h", "trim flights --max-length 9 --dry-run"),
        *("release flights delays --yes", "dead list -s flights", "dead replay --all -s flights"),
        "dead export -s flights",
    ],
)
def test_each_command_goes_by_tls(tls: tuple[str, dict[str, Path]], command: str) -> None:
    where, files = tls
    options = {"--ca": "ca.crt", "--cert": "tls.crt", "--key": "tls.key"}
    told = [word for name, path in options.items() for word in (name, str(files[path]))]
    words = command.split()
    done = headrace(*told, *words, HEADRACE_REDIS_URL=where)
    assert done.returncode == 0, done.stdout + done.stderr
    without = headrace(*words, HEADRACE_REDIS_URL=where)
    assert (without.returncode, "Traceback" in without.stderr) == (1, False)
    assert "--ca FILE" in without.stderr + without.stdout, without.stderr


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Path]]]:
    files = make_certificates(tmp_path_factory.mktemp("tls"), "localhost")
    with running("redis") as server:
        endpoint = listen_with_tls(server, files, tls_auth_clients="yes")
        stage = Stage(server)
        stage.send(*range(20))
        stage.redis.xgroup_create(STREAM, GROUP, "$")
        yield f"rediss://{endpoint.replace('127.0.0.1', 'localhost')}/0", files
