"""What a person sees: 80 columns, no colours, a sign of life after a second, live tables."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
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
    "plan flights --retention 24h",
    "trim flights --max-length 10 --dry-run",
    "release flights delays --yes",
    "release flights nobody",
    "send sent -t x -f /dev/null",
    "send sent -t x -f nothing.ndjson",
    "tail nothing",
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


def test_what_is_tailed_fits_too(filled: RedisServer) -> None:
    command = "tail flights --from 2h --type flight.landed"
    with closing(Screen(filled, *command.split())) as seen:
        seen.wait_for("flight.landed", times=3)
        seen.interrupt()
        assert seen.end() == 130
    assert [line for line in seen.text.splitlines() if len(line) > COLUMNS] == []


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


def test_what_is_watched_as_yaml_is_a_document_each_time(stage: Stage) -> None:
    stage.send(*range(3))
    with closing(Screen(stage.server, "backlog", STREAM, "--watch", "-o", "yaml")) as screen:
        screen.wait_for("entries: 3")
        stage.send(3)
        screen.wait_for("entries: 4")
        screen.wait_for("shards: []\n---", times=2)
        screen.interrupt()
        assert screen.end() == 130
    whole, _, _ = screen.text.rpartition("---")
    documents = [one["entries"] for one in yaml.safe_load_all(whole) if one]
    assert set(documents) == {3, 4}


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
        with closing(Elsewhere(f"redis://{where}/0", *words)) as screen:
            screen.wait_for("waiting for Redis")
            waited = time.monotonic() - began
    assert where in screen.text
    assert waited > 0.9, "not for one that answers at once"


class Elsewhere(Screen):
    """Of a server that is only a URL."""

    def __init__(self, url: str, *arguments: str) -> None:
        super().__init__(RedisServer("redis"), *arguments, HEADRACE_REDIS_URL=url)


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
    words = command.split()
    done = headrace(*tls_options(files), *words, HEADRACE_REDIS_URL=where)
    assert done.returncode == 0, done.stdout + done.stderr
    without = headrace(*words, HEADRACE_REDIS_URL=where)
    assert (without.returncode, "Traceback" in without.stderr) == (1, False)
    assert "--ca FILE" in without.stderr + without.stdout, without.stderr


def test_what_is_sent_by_tls_is_tailed_by_tls(
    tls: tuple[str, dict[str, Path]], tmp_path: Path
) -> None:
    where, files = tls
    told = [*tls_options(files), "send", "by-tls", "-t", "made"]
    first = headrace(*told, stdin='{"n": 1}\n', HEADRACE_REDIS_URL=where)
    assert (first.returncode, first.stdout) == (0, "sent 1 event to by-tls\n"), first.stderr
    seen = Elsewhere(where, *tls_options(files), "tail", "by-tls", "--from", "0")
    with closing(seen) as screen:
        screen.wait_for('{"n": 1}')
        (tmp_path / "more.ndjson").write_text('{"n": 2}\n')
        more = headrace(*told, "-f", str(tmp_path / "more.ndjson"), HEADRACE_REDIS_URL=where)
        assert more.returncode == 0, more.stderr
        screen.wait_for('{"n": 2}')
        screen.interrupt()
        assert screen.end() == 130


@pytest.mark.parametrize("command", ["tail flights", "send flights -t made"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "is not trusted here; give its CA with --ca FILE"),
        (("--ca",), "if it asks for a client certificate, give --cert FILE and --key FILE"),
    ],
    ids=["nothing", "no client certificate"],
)
def test_what_tls_lacks_is_told(
    tls: tuple[str, dict[str, Path]], command: str, given: tuple[str, ...], said: str
) -> None:
    where, files = tls
    some = tls_options(files, *given) if given else []
    done = headrace(*some, *command.split(), stdin='{"n": 0}\n', HEADRACE_REDIS_URL=where)
    assert done.returncode == 1, done.stdout
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [
        ("other.example", 30, "is for another name; write that name in --url"),
        ("localhost", -1, "has expired; renew it"),
    ],
)
def test_what_is_wrong_with_a_servers_certificate_is_told(
    tmp_path: Path, name: str, days: int, said: str
) -> None:
    files = make_certificates(tmp_path, name, days)
    with running("redis") as server:
        endpoint = listen_with_tls(server, files).replace("127.0.0.1", "localhost")
        done = headrace(
            *tls_options(files, "--ca"), "streams", HEADRACE_REDIS_URL=f"rediss://{endpoint}/0"
        )
    told = f"headrace: the certificate of {endpoint} {said}\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_client_certificate_that_the_server_does_not_know_is_told(
    tls: tuple[str, dict[str, Path]], tmp_path: Path
) -> None:
    where, files = tls
    strangers = make_certificates(tmp_path, "localhost")
    told = [*tls_options(files, "--ca"), *tls_options(strangers, "--cert", "--key")]
    done = headrace(*told, "streams", HEADRACE_REDIS_URL=where)
    assert done.returncode == 1
    assert "not accept the client certificate of --cert" in done.stderr


def tls_options(files: dict[str, Path], *only: str) -> list[str]:
    options = {"--ca": "ca.crt", "--cert": "tls.crt", "--key": "tls.key"}
    names = only or tuple(options)
    return [word for name in names for word in (name, str(files[options[name]]))]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Path]]]:
    files = make_certificates(tmp_path_factory.mktemp("tls"), "localhost")
    with running("redis") as server:
        endpoint = listen_with_tls(server, files, tls_auth_clients="yes")
        stage = Stage(server)
        stage.send(*range(20))
        stage.redis.xgroup_create(STREAM, GROUP, "$")
        yield f"rediss://{endpoint.replace('127.0.0.1', 'localhost')}/0", files
