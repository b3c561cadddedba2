"""The commands as processes: what they do, what they say, and what they never say."""

import json
import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest
import redis
from tests.support.command_line import headrace
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually_sync
from tests.support.workers import DEAD, GROUP, STREAM, Stage, workers

from headrace.streams.bodies import FIRST_COUNT
from headrace.streams.info import info_of
from headrace.streams.server import server_of

HANDLER = """
    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        effect(f"end {event['n']}")
"""


@pytest.mark.parametrize(
    ("handler", "source", "sentence"),
    [
        ("handlers", "", "handler 'handlers' is not module:attribute, for example handlers:app"),
        ("missing:app", "", "there is no module 'missing' in"),
        ("handlers:other", "", "has no 'other' (its apps: app)"),
        ("handlers:app", "", "has no handlers; decorate a function with @app.on"),
        ("handlers:app", "import nothere", "imports 'nothere', which this image lacks"),
        ("handlers:app", "1 / 0", "ZeroDivisionError: division by zero (handlers.py, line"),
        ("handlers:app", "@app.on('x')\ndef f(): ...", "f takes 0 parameters"),
    ],
)
def test_a_handler_that_cannot_be_used_ends_the_worker_with_one_sentence(
    stage: Stage, handler: str, source: str, sentence: str
) -> None:
    with workers(stage, "") as group:
        (group.directory / "handlers.py").write_text(
            f"import headrace\napp = headrace.App()\n{source}"
        )
        group.written["handler"] = handler
        one = group.start()
        assert one.process.wait(20) == 2
        assert sentence in one.text
        assert "Traceback" not in one.text


def test_a_configuration_that_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    missing = headrace("worker", HEADRACE_CONFIG=str(tmp_path / "none.json"))
    assert missing.returncode == 2
    assert "cannot read the configuration" in missing.stderr
    assert "the operator writes it into its pods, elsewhere name a file" in missing.stderr
    (tmp_path / "worker.json").write_text("{}")
    wrong = headrace("worker", HEADRACE_CONFIG=str(tmp_path / "worker.json"))
    assert wrong.returncode == 2
    assert "is wrong at namespace: Field required" in wrong.stderr


def test_a_port_that_is_taken_is_named(stage: Stage) -> None:
    with socket.create_server(("", 0)) as taken, workers(stage, HANDLER) as group:
        port = taken.getsockname()[1]
        one = group.start("pod-a", "worker", "--port", str(port))
        assert one.process.wait(20) == 2
        assert (
            f"cannot listen on port {port}: Address already in use; give another with --port"
            in one.text
        )
        assert "Traceback" not in one.text


def test_an_unreachable_redis_is_said_once_and_waited_for(redis_server: RedisServer) -> None:
    with running(redis_server.kind) as server:
        stage = Stage(server)
        server.kill()
        with workers(stage, HANDLER) as group:
            one = group.start()
            eventually_sync(lambda: "trying again with back-off" in one.text)
            server.start()
            eventually_sync(lambda: stage.redis.exists(STREAM))
            stage.send({"n": 1})
            eventually_sync(lambda: stage.settled)
            one.signal(signal.SIGTERM)
            assert one.process.wait(20) == 0
        assert one.text.count("start: ") == 2  # gone, and back
        assert "Redis answers again" in one.text


def test_wrong_credentials_are_said_without_showing_them(redis_server: RedisServer) -> None:
    with running(redis_server.kind) as server:
        stage = Stage(server)
        stage.redis.config_set("requirepass", "right-horse")
        with workers(stage, HANDLER) as group:
            secret = group.directory / "secret"
            secret.mkdir()
            (secret / "password").write_text("wrong-horse\n")
            group.written["redis"]["credentialsDir"] = str(secret)
            one = group.start()
            eventually_sync(lambda: "credentialsSecretRef" in one.text)
            (secret / "password").write_text("right-horse\n")
            with redis.Redis(port=server.port, password="right-horse") as client:
                eventually_sync(lambda: client.exists(STREAM))
            one.kill()
        assert "horse" not in one.text


def test_metrics_and_probes_are_served(stage: Stage) -> None:
    with workers(stage, HANDLER) as group:
        stage.send({"n": 1})
        one = group.start("pod-a", "worker", "--port", "0")
        eventually_sync(lambda: stage.settled)
        port = re.search(r"probes on port (\d+)", one.text).group(1)

        def get(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.read().decode()

        assert get("/livez") == "ok\n"
        assert get("/readyz") == "ok\n"
        labels = 'group="delays",outcome="done",pipeline="flights",type="flight.landed/1"'
        eventually_sync(lambda: f"headrace_worker_events_total{{{labels}}} 1.0" in get("/metrics"))


def test_reclaim_handles_what_a_dead_worker_left_and_ends(stage: Stage) -> None:
    with workers(stage, HANDLER, reclaimCount=50) as group:
        stage.send(*({"n": n} for n in range(10)))
        stage.redis.xgroup_create(STREAM, GROUP, "0")
        stage.redis.xreadgroup(GROUP, "dead-worker", {STREAM: ">"}, count=10)
        stage.redis.execute_command(
            "XCLAIM", STREAM, GROUP, "dead-worker", 0,
            *[one["message_id"] for one in stage.redis.xpending_range(STREAM, GROUP, "-", "+", 10)],
            "IDLE", 60000,
        )  # fmt: skip
        one = group.start("job-1", "reclaim")
        assert one.process.wait(30) == 0
        assert sorted(group.effects) == sorted(f"end {n}" for n in range(10))
        assert "reclaimed 10 entries: 10 done" in one.text
    assert stage.settled
    assert b"dead-worker" in stage.consumers
    assert not any(name.startswith(b"job-1") for name in stage.consumers)


def test_reclaim_of_a_custom_group_dead_letters_by_deliveries_and_leaves_the_rest(
    stage: Stage,
) -> None:
    with workers(stage, "") as group:
        group.written["handler"] = None
        old, new = stage.send({"n": 1}, {"n": 2})
        stage.redis.xgroup_create(STREAM, GROUP, "0")
        stage.redis.xreadgroup(GROUP, "go-worker", {STREAM: ">"}, count=10)
        for id_, count in ((old, 3), (new, 1)):
            stage.redis.execute_command(
                "XCLAIM", STREAM, GROUP, "go-worker", 0, id_, "IDLE", 60000, "RETRYCOUNT", count
            )
        one = group.start("job-1", "reclaim")
        assert one.process.wait(30) == 0, one.text
    (letter,) = stage.dead
    assert letter[b"original_id"] == old
    assert letter[b"error"] == b"left unacknowledged after 3 deliveries"
    (left,) = stage.redis.xpending_range(STREAM, GROUP, "-", "+", 10)
    assert left["message_id"] == new
    # Its own consumers remove no record of ours.
    assert stage.redis.keys("*:failures:*") == []


def test_reclaim_of_a_custom_group_reads_what_it_buries_and_no_more_than_it_may_hold(
    stage: Stage,
) -> None:
    payload = b"x" * 3_000_000
    ids = [stage.redis.xadd(STREAM, {"payload": payload}) for _ in range(20)]
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "go-worker", {STREAM: ">"}, count=20)

    def fall_silent(entries: list[bytes], deliveries: int) -> None:
        stage.redis.xclaim(
            STREAM, GROUP, "go-worker", 0, entries,
            idle=60_000, retrycount=deliveries, justid=True,
        )  # fmt: skip

    def sent() -> int:
        return int(stage.redis.info("stats")["total_net_output_bytes"])

    with workers(stage, "") as group:
        group.written["handler"] = None
        for buried_before, buried in ((0, 6), (6, 12)):
            fall_silent(ids[buried_before:12], 3)
            fall_silent(ids[12:], 1)
            before = sent()
            one = group.start("job-1", "reclaim")
            assert one.process.wait(60) == 0, one.text
            # Sizes show when bodies come in, so the first few are asked for together.
            assert sent() - before < (FIRST_COUNT + 1) * len(payload)
            assert stage.redis.xlen(DEAD) == buried
    assert {letter[b"f:payload"] for letter in stage.dead} == {payload}
    assert stage.pending == 8
    assert stage.redis.keys("*:failures:*") == []


def test_trim_says_what_it_removed_and_why_it_stopped(stage: Stage) -> None:
    stage.send(*({"n": n} for n in range(500)))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    config = {
        "redis": {"endpoints": [stage.server.endpoint]},
        "stream": STREAM,
        "groups": [GROUP],
        "maxLength": 100,
    }
    kept = headrace("trim", HEADRACE_TRIM=json.dumps(config))
    assert kept.returncode == 0
    assert "removed 0, 500 left" in kept.stdout
    assert GROUP in kept.stdout
    stage.redis.xreadgroup(GROUP, "c", {STREAM: ">"}, count=500, noack=True)
    done = headrace("trim", HEADRACE_TRIM=json.dumps(config))
    assert "removed 400, 100 left" in done.stdout
    assert headrace("trim", HEADRACE_TRIM="{}").returncode == 2


def test_send_adds_one_event_per_line(stage: Stage) -> None:
    lines = "\n".join(json.dumps({"n": n}) for n in range(2500))
    url = f"redis://127.0.0.1:{stage.server.port}/0"
    done = headrace(
        "send",
        STREAM,
        "-t",
        "flight.landed",
        "--id-field",
        "n",
        stdin=lines,
        HEADRACE_REDIS_URL=url,
    )
    assert done.returncode == 0
    assert "sent 2,500 events to flights" in done.stdout
    ((_, last),) = stage.redis.xrevrange(STREAM, count=1)
    assert last == {
        b"type": b"flight.landed",
        b"version": b"1",
        b"payload": b'{"n": 2499}',
        b"id": b"2499",
    }
    bad = headrace("send", STREAM, "-t", "x", "--url", url, stdin="no json\n")
    assert bad.returncode == 2
    assert "line 1 is no JSON" in bad.stderr


def test_a_redis_that_refuses_gives_one_sentence_without_the_password() -> None:
    url = "redis://:hunter2@127.0.0.1:1/0"
    refused = headrace("send", STREAM, "-t", "x", stdin="{}\n", HEADRACE_REDIS_URL=url)
    assert refused.returncode == 1
    assert "hunter2" not in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr


def test_backlog_shows_lag_and_pending(stage: Stage) -> None:
    stage.send({"n": 1}, {"n": 2})
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "c", {STREAM: ">"}, count=1)
    url = f"redis://127.0.0.1:{stage.server.port}/0"
    table = headrace("backlog", STREAM, "--url", url)
    assert table.returncode == 0, table.stderr
    assert re.search(r"^delays +1 +1 ", table.stdout, re.MULTILINE)
    wrong = headrace("backlog", STREAM, GROUP, "nobody", "--url", url)
    assert (wrong.returncode, "no such group" in wrong.stdout) == (1, True)
    assert "stream flights has no group nobody" in wrong.stderr
    missing = headrace("backlog", "nothing", "--url", url)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert f"there is no stream nothing at {stage.server.endpoint}" in missing.stderr
    info = "\n".join(f"{name}:{value}" for name, value in stage.redis.info("server").items())
    told = json.loads(headrace("backlog", STREAM, GROUP, "--url", url, "-o", "json").stdout)
    (group,) = told["groups"]
    assert (group["group"], group["pending"], group["exists"]) == (GROUP, 1, True)
    server = told["server"]
    assert f"{server['name']} {server['version']}" == str(server_of(info_of(info)))
    assert server["features"] == list(server_of(info_of(info)).features)
    assert group["waiting"] == 2


def test_release_says_whose_the_group_was_and_asks_before_it_frees_it(
    redis_server: RedisServer,
) -> None:
    url = f"redis://{redis_server.endpoint}/0"
    with redis.Redis(port=redis_server.port, decode_responses=True) as client:
        client.flushall()
        state = "headrace:{flights}:state:delays:flights"
        client.hset(state, mapping={"owner": "airport/old/uid-1", "cluster": "uid-c", "x": "y"})
        client.xgroup_create("flights", "delays", "0", mkstream=True)
        asked = headrace("release", "flights", "delays", stdin="n\n", HEADRACE_REDIS_URL=url)
        assert asked.returncode == 2
        assert "airport/old/uid-1 of the cluster uid-c" in asked.stdout
        assert client.hget(state, "owner") == "airport/old/uid-1"
        done = headrace("release", "flights", "delays", "--yes", HEADRACE_REDIS_URL=url)
        assert done.returncode == 0, done.stderr
        assert client.hgetall(state) == {"x": "y"}
        again = headrace("release", "flights", "delays", "--yes", HEADRACE_REDIS_URL=url)
        assert (again.returncode, again.stdout) == (
            0,
            "nobody has claimed group delays of stream flights\n",
        )
