"""`headrace check`: what a Redis lacks is told before anything depends on it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command_line import at, headrace
from tests.support.documented_users import worker_rights
from tests.support.redis_servers import RedisServer, running
from tests.support.workers import GROUP, STREAM, Stage, config

KEYS = (STREAM, "headrace:{flights}:*")
CHECKS = [
    *("connection", "stream", "rights", "server", "features"),
    *("persistence", "memory", "replicas", "clock"),
]


def results(server: RedisServer, *arguments: str, code: int = 0, **environment: str) -> dict:
    """check -> (result, what was found, advice)."""
    done = at(server, "check", *arguments, "-o", "json", **environment)
    assert done.returncode == code, done.stdout + done.stderr
    return {
        one["check"]: (one["result"], one["found"], one["advice"])
        for one in json.loads(done.stdout)
    }


@pytest.fixture
def limited(stage: Stage) -> Iterator[Stage]:
    """With a user `limited`, who has the documented rights."""
    rights = worker_rights(*KEYS)
    stage.redis.execute_command("ACL", "SETUSER", "limited", "on", ">pw", *rights)
    yield stage
    stage.redis.execute_command("ACL", "DELUSER", "limited")


def as_limited(stage: Stage, code: int) -> dict:
    url = f"redis://limited:pw@{stage.server.endpoint}/0"
    return results(stage.server, STREAM, "--url", url, code=code)


def test_a_bare_server_is_warned_of_and_never_fails(stage: Stage) -> None:
    stage.send(1)
    found = results(stage.server, STREAM)
    assert list(found) == CHECKS
    assert {name for name, (result, *_) in found.items() if result == "warning"} == {
        *("persistence", "memory", "replicas")
    }
    assert found["persistence"][1:] == (
        "nothing is written to disk: a restart loses every event",
        "set appendonly yes",
    )
    stage.redis.config_resetstat()
    assert results(stage.server, STREAM, "--strict", code=1) == found
    assert stage.redis.info("commandstats")["cmdstat_info"]["calls"] == 1, "it is asked once"
    assert "rights" not in results(stage.server), "of no stream, no rights are known"


def test_what_loses_events_fails(redis_server: RedisServer) -> None:
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes")
    with (
        running(redis_server.kind, *options) as server,
        running(redis_server.kind, "--replicaof", "127.0.0.1", str(server.port)) as replica,
    ):
        found = results(server, STREAM, code=1)
        assert found["memory"][0] == "failed"
        assert "Redis deletes the stream" in found["memory"][1]
        assert found["persistence"][:2] == (
            "ok",
            "appendonly yes, appendfsync everysec; a crash loses up to a second",
        )
        of_replica = results(replica, code=1)
        assert of_replica["replicas"][:2] == ("failed", "this is a replica: it takes no events")
        assert of_replica["replicas"][2].endswith(f"127.0.0.1:{server.port}")


def test_the_documented_user_may_do_all(limited: Stage) -> None:
    found = as_limited(limited, code=0)
    assert found["rights"][:2] == ("ok", "this user may do all that a pipeline needs")
    # It may not ask for settings; what INFO tells is told.
    assert "since the last snapshot" in found["persistence"][1]


def test_each_right_that_is_missing_is_named(limited: Stage) -> None:
    def told(*rules: str, code: int) -> tuple[str, str, str]:
        limited.redis.execute_command("ACL", "SETUSER", "limited", *rules)
        return as_limited(limited, code)["rights"]

    limited.redis.execute_command("ACL", "SETUSER", "limited", "-type")
    blind = as_limited(limited, 1)["stream"]
    assert (blind[0], blind[2]) == ("failed", "grant this user the rights in docs/redis-user.md")
    limited.redis.execute_command("ACL", "SETUSER", "limited", "+type")
    refused = told("-xclaim", code=1)
    assert refused[0] == "failed"
    assert refused[1].startswith("this user may not xclaim on flights, xclaim on headrace:")
    assert refused[2] == "grant them as in docs/redis-user.md"
    assert (
        "this user may not xadd xreadgroup"
        in told("+xclaim", "resetkeys", "~headrace:*", code=1)[1]
    )
    helps = told("~flights", "-zmscore", code=0)
    assert (helps[0], "Headrace does without" in helps[1]) == ("warning", True)
    unknown = told("-evalsha_ro", "-eval_ro", code=1)
    assert unknown[1] == "this user may run no scripts, so the other rights are not known"


def test_a_pod_s_configuration_says_what_to_check(stage: Stage, tmp_path: Path) -> None:
    rights = [*worker_rights(*KEYS), "+client|setinfo"]
    if stage.server.kind == "redis":
        rights.remove("+client|setinfo")
    stage.redis.execute_command("ACL", "SETUSER", "limited", "on", ">pw", *rights)
    (tmp_path / "username").write_text("limited")
    (tmp_path / "password").write_text("pw")
    redis_section = {"endpoints": [stage.server.endpoint], "credentialsDir": str(tmp_path)}
    written = config(stage.server, redis=redis_section, outputs=[{"stream": "{flights}:late"}])
    (tmp_path / "worker.json").write_text(json.dumps(written))
    done = headrace("check", HEADRACE_CONFIG=str(tmp_path / "worker.json"))
    stage.redis.execute_command("ACL", "DELUSER", "limited")
    assert (done.returncode, GROUP in done.stdout) == (1, False)
    assert "failed   rights       this user may not xadd on {flights}:late\n" in done.stdout


def test_what_cannot_be_reached_or_is_no_stream_fails(stage: Stage) -> None:
    away = results(stage.server, STREAM, "--url", "redis://127.0.0.1:1/0", code=1)
    assert away == {
        "connection": (
            "failed",
            "nothing listens at 127.0.0.1:1",
            "check --url, or forward the port to this machine",
        )
    }
    stage.redis.set("text", "x")
    assert results(stage.server, "text", code=1)["stream"][:2] == (
        "failed",
        "key 'text' holds a string, not a stream",
    )
    wrong = at(stage.server, "check", "a}b")
    assert (wrong.returncode, "needs a name without" in wrong.stderr) == (2, True)
    assert headrace("check", HEADRACE_CONFIG="/none.json").returncode == 2
