"""`-o json` of every command: the same kind of keys everywhere."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from tests.support.command_line import headrace
from tests.support.workers import DEAD, GROUP, STREAM, Stage


@pytest.mark.parametrize(
    ("command", "known"),
    [
        ("streams", "deadLetters"),
        (f"backlog {STREAM}", "oldestAgeSeconds"),
        (f"pending {STREAM}", "longestIdleSeconds"),
        (f"pending {STREAM} --entries", "idleSeconds"),
        (f"peek {STREAM}", "payload"),
        (f"plan {STREAM} --rate 1/s --retention 1h", "entryBytes"),
        ("check", "advice"),
        (f"dead list --stream {STREAM}", "errorType"),
        (f"dead list --each --stream {STREAM}", "originalId"),
    ],
)
def test_keys_are_camel_case(stage: Stage, command: str, known: str) -> None:
    stage.send({"n": 1}, {"n": 2})
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "c", {STREAM: ">"}, count=1)
    stage.redis.xadd(DEAD, {"group": GROUP})
    url = f"redis://{stage.server.endpoint}/0"
    done = headrace(*command.split(), "-o", "json", HEADRACE_REDIS_URL=url)
    keys = [key for line in done.stdout.splitlines() for key in _keys(json.loads(line))]
    assert known in keys, done.stderr
    assert [key for key in keys if not re.fullmatch("[a-z][a-zA-Z]*", key)] == []
    done = headrace(*command.split(), "-o", "yaml", HEADRACE_REDIS_URL=url)
    assert list(_keys(yaml.safe_load(done.stdout))) == keys, done.stderr


def _keys(data: object) -> Iterator[str]:
    """All but those of the events themselves."""
    for one in data if isinstance(data, list) else [data]:
        for key, inner in one.items() if isinstance(one, dict) else ():
            yield key
            if key not in ("payload", "fields"):
                yield from _keys(inner)
