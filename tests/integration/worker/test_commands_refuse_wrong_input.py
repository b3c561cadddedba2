"""Whatever is typed wrong is answered by one sentence and exit code 2, never by a traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import at, headrace
from tests.support.workers import DEAD, GROUP, STREAM, Stage, config

SENT = ["-t", "x", "-f"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "one.json").write_text('{"a":1}\n')
    (tmp_path / "bytes.json").write_bytes(b'{"a":1}\n\xff\n')
    (tmp_path / "null.json").write_text('{"id":null}\n')
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "flat.yaml").write_text("kind: StreamPipeline\nmetadata: x\n")
    (tmp_path / "odd.yaml").write_text("kind: StreamPipeline\nmetadata: {name: [1]}\nspec: 3\n")
    (tmp_path / "date.yaml").write_text("kind: 2024-13-99\n")
    (tmp_path / "other.yaml").write_text("kind: ConfigMap\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backlog", "s", "g", "-o", "xml"], "'xml' is not one of 'table', 'json', 'yaml'"),
        (["backlog", "", "g"], "needs a name"),
        (["send", "a}b", *SENT, "one.json"], "needs a name without '}'"),
        (["send", "", *SENT, "one.json"], "needs a name"),
        (["send", "s", "-t", "", "-f", "one.json"], "--type is empty"),
        (["send", "s", "-t", "  ", "-f", "one.json"], "--type is empty"),
        (["send", "s", "--version", "-3", *SENT, "one.json"], "greater than or equal to 0"),
        (["send", "s", *SENT, "bytes.json"], "line 2 is no JSON"),
        (["send", "s", *SENT, "null.json", "--id-field", "id"], "line 1 has no text or whole"),
        (["send", "s", *SENT, "missing.json"], "cannot read missing.json: No such file"),
        (["send", "s", *SENT, "."], "cannot read .: Is a directory"),
        (["peek", "s", "--from", f"{2**64}-0"], "-0' is neither an id nor a time"),
        (["tail", "s", "--from", f"1-{2**64}"], "' is neither an id nor a time"),
        (["--log-format", "yaml", "backlog", "s", "g"], "'yaml' is not one of"),
        (["validate", "bytes.yaml"], "bytes.yaml is no text in UTF-8 from byte 0 on"),
        (["validate", "flat.yaml"], "flat.yaml:1: (no name): error: "),
        (["validate", "odd.yaml"], "odd.yaml:1: (no name): error: "),
        (["validate", "date.yaml"], "date.yaml is no YAML"),
        (["validate", "other.yaml"], "other.yaml holds no StreamPipeline"),
        (["validate", "-o", "yaml", "odd.yaml"], "'yaml' is not one of"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_each_command(stage: Stage, files: Path, arguments: list[str], said: str) -> None:
    paths = [str(files / one) if (files / one).is_file() else one for one in arguments]
    done = headrace(*paths, HEADRACE_REDIS_URL=f"redis://{stage.server.endpoint}/0")
    told = (done.stdout + done.stderr).replace(f"{files}/", "")
    assert (done.returncode, "Traceback" in told) == (2, False), told
    assert said in told
    assert "Value error" not in told, "Python's own words"


@pytest.mark.parametrize(
    ("redis", "said"),
    [
        (
            {"endpoints": ["127.0.0.1"]},
            "at redis.endpoints.0: an endpoint must be written host:port",
        ),
        ({"endpoints": []}, "is wrong at redis.endpoints: "),
    ],
)
def test_a_configuration_that_names_no_redis(tmp_path: Path, redis: dict, said: str) -> None:
    trim = {"redis": redis, "stream": "s", "groups": [], "maxLength": 1}
    done = headrace("trim", HEADRACE_TRIM=json.dumps(trim))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("command", [["backlog", "s", "g"], ["send", "s", *SENT, "/dev/null"]])
@pytest.mark.parametrize(
    "url",
    [
        "redis://user:s3cr3t/xyz@127.0.0.1:6379/0",
        "redis://user:s3cr3t@127.0.0.1:s3cr3t/0",
        "redis://127.0.0.1:6379/mydb?s3cr3t",
        "s3cr3t",
    ],
)
def test_a_wrong_url_is_refused_without_showing_it(command: list[str], url: str) -> None:
    done = headrace(*command, HEADRACE_REDIS_URL=url)
    assert done.returncode == 2
    assert "the Redis URL" in done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_pipelines_own_dead_letter_stream_is_counted(stage: Stage, tmp_path: Path) -> None:
    stage.redis.xadd("mine", {"any": "letter"})
    stage.redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    url = f"redis://{stage.server.endpoint}/0"
    told = headrace("backlog", STREAM, GROUP, "--dead-letters", "mine", "--url", url)
    assert "1 dead letter" in told.stdout
    written = config(stage.server, deadLetter={"stream": "mine", "maxLength": 10})
    (tmp_path / "worker.json").write_text(json.dumps({**written, "handler": "handlers:app"}))
    known = headrace("backlog", STREAM, GROUP, HEADRACE_CONFIG=str(tmp_path / "worker.json"))
    assert "1 dead letter" in known.stdout, known.stderr
    assert stage.redis.xlen(DEAD) == 0


def test_help_and_version_load_nothing_heavy() -> None:
    """So that they answer at once: 0.1 s of CPU, of which Python itself takes a fifth."""
    code = (
        "import sys\n"
        "from headrace.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print(sorted({'redis', 'pydantic', 'rich', 'uvloop', 'asyncio'} & sys.modules.keys()))\n"
    )
    for option in ("--version", "--help"):
        done = subprocess.run(
            [sys.executable, "-c", code, option], check=True, capture_output=True, text=True
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_a_person_without_a_manifest_is_told_what_to_type(tmp_path: Path) -> None:
    nowhere = headrace("backlog", "s", HEADRACE_REDIS_URL="redis://127.0.0.1:1/0")
    assert (nowhere.returncode, nowhere.stderr) == (
        1,
        "headrace: nothing listens at 127.0.0.1:1; check --url, or forward the port to this"
        " machine\n",
    )
    untold = headrace("streams", HEADRACE_CONFIG=str(tmp_path / "none.json"))
    assert (untold.returncode, "which Redis? Give --url" in untold.stderr) == (2, True)


def test_a_missing_right_or_password_names_the_next_step(stage: Stage) -> None:
    url = f"redis://reader:pw@{stage.server.endpoint}/0"
    stage.redis.acl_setuser("reader", enabled=True, passwords=["+pw"], commands=["+ping"])
    refused = headrace("streams", HEADRACE_REDIS_URL=url)
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "grant this user the rights in docs/redis-user.md" in refused.stderr
    rules = ["+@all", "-xpending", "~*"]
    stage.redis.execute_command("ACL", "SETUSER", "reader", *rules)
    stage.send({"n": 1})
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "c", {STREAM: ">"})
    in_script = headrace("backlog", STREAM, HEADRACE_REDIS_URL=url)
    assert "grant this user the rights in docs/redis-user.md" in in_script.stderr
    wrong = headrace("streams", HEADRACE_REDIS_URL=url.replace(":pw@", ":horse@"))
    assert "HEADRACE_REDIS_PASSWORD" in wrong.stderr
    assert "horse" not in wrong.stderr
    stage.redis.acl_deluser("reader")


ADVICE = "; grant this user the rights in docs/redis-user.md"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (f"release {STREAM} {GROUP} --yes", "hdel"),
        (f"dead replay --all -s {STREAM}", "xadd"),
        (f"send {STREAM} -t x -f /dev/stdin", "xadd"),
    ],
)
def test_a_right_that_a_script_lacks_names_the_next_step(
    stage: Stage, command: str, what: str
) -> None:
    for key in (STREAM, f"headrace:{{{STREAM}}}:replay:{GROUP}:{STREAM}"):
        stage.redis.xgroup_create(key, GROUP, "0", mkstream=True)
    stage.redis.xadd(DEAD, {"group": GROUP, "original_stream": STREAM})
    stage.redis.hset(f"headrace:{{{STREAM}}}:state:{GROUP}:{STREAM}", "owner", "airport/old/uid-1")
    stage.redis.acl_setuser(
        "most", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", f"-{what}"]
    )
    url = f"redis://most:pw@{stage.server.endpoint}/0"
    refused = headrace(*command.split(), stdin="{}\n", HEADRACE_REDIS_URL=url)
    stage.redis.acl_deluser("most")
    assert refused.returncode == 1
    assert ADVICE in refused.stderr
    assert not re.search("script: [0-9a-f]{8}|Error: |0 events", refused.stderr), refused.stderr


def test_streams_that_may_not_be_read_are_no_missing_streams(stage: Stage) -> None:
    for name in (STREAM, "gates", "hangars"):
        stage.redis.xadd(name, {"n": 1})
    for keys in ([STREAM, f"headrace:{{{STREAM}}}:*"], ["none"]):
        stage.redis.acl_setuser(
            "guest", enabled=True, passwords=["+pw"], reset_keys=True, keys=keys, commands=["+@all"]
        )
        url = f"redis://guest:pw@{stage.server.endpoint}/0"
        seen = headrace("streams", HEADRACE_REDIS_URL=url)
        assert (seen.returncode, STREAM in seen.stdout) == (1, STREAM in keys)
        assert f"no stream at {stage.server.endpoint}" not in seen.stderr
        (told,) = seen.stderr.splitlines()
        assert re.match(r"headrace: (flights|gates|hangars): NOPERM ", told)
        assert ADVICE in told
        assert f"and {1 if STREAM in keys else 2} stream" in told
    stage.redis.acl_deluser("guest")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-"])
def test_a_closed_output_or_input_is_no_traceback(stage: Stage, redirection: str) -> None:
    stage.send({"n": 1})
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    for line in ("streams", "check", f"trim {STREAM} --max-length 0", "send s -t x"):
        done = subprocess.run(
            f"{sys.executable} -m headrace {line} {redirection}",
            shell=True,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HEADRACE_REDIS_URL": f"redis://{stage.server.endpoint}/0"},
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode in (0, 2)


@pytest.mark.parametrize(
    "command",
    [
        ["backlog", "text"],
        ["backlog", "text", "delays"],
        ["pending", "text"],
        ["send", "text", *SENT, "/dev/stdin"],
        ["trim"],
        ["tail", "text"],
        ["plan", "text", "--retention", "1h"],
        ["release", "text", "delays"],
        ["dead", "list", "-s", "text"],
        ["dead", "list", "-s", "other", "--dead-letters", "text"],
        ["dead", "import", "-s", "other", "--dead-letters", "text"],
    ],
    ids=" ".join,
)
def test_a_key_of_another_type_is_named(stage: Stage, command: list[str]) -> None:
    stage.redis.set("text", "x")
    redis = {"endpoints": [stage.server.endpoint]}
    trim = {"redis": redis, "stream": "text", "groups": ["delays"], "maxLength": 1}
    done = at(stage.server, *command, stdin="{}\n", HEADRACE_TRIM=json.dumps(trim))
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "not a stream" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *("backlog typo", "pending typo", "peek typo", "tail typo"),
        *("plan typo --retention 1h", "trim typo --max-length 1 --yes", "release typo delays"),
        *("dead list -s typo", "dead list --each -s typo", "dead show 1-1 -s typo"),
        *("dead replay --all -s typo", "dead purge --all --yes -s typo", "dead export -s typo"),
    ],
)
def test_a_stream_that_is_not_there_is_never_a_success(stage: Stage, command: str) -> None:
    stage.send({"n": 1})
    done = at(stage.server, *command.split())
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert f"there is no stream typo at {stage.server.endpoint}" in told


def test_a_group_that_is_not_there_cannot_be_released(stage: Stage) -> None:
    stage.send({"n": 1})
    done = at(stage.server, "release", STREAM, GROUP)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"headrace: stream {STREAM} has no group {GROUP}\n"
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    free = at(stage.server, "release", STREAM, GROUP)
    assert (free.returncode, "nobody has claimed" in free.stdout) == (0, True)


def test_letters_outlive_their_stream(stage: Stage) -> None:
    stage.redis.xadd(DEAD, {"any": "letter"})
    done = at(stage.server, "dead", "list", "-s", STREAM)
    assert (done.returncode, f"{DEAD}: 1 dead letter" in done.stdout) == (0, True)
