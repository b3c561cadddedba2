"""What `headrace check` says of a server's own words."""

import pytest

from headrace.cli import preflight
from headrace.cli.preflight import Result
from headrace.streams.keys import StreamKeys
from headrace.streams.rights import rights_of
from headrace.streams.server import Server

KEYS = StreamKeys("flights").for_group("delays")


@pytest.mark.parametrize(
    ("server", "result", "words"),
    [
        (Server("redis", (6, 2, 14)), Result.FAILED, "redis 6.2.14 is too old"),
        (Server("redis", (7, 0, 15)), Result.OK, "redis 7.0.15; after a trim"),
        (Server("redis", (8, 0, 2)), Result.OK, "redis 8.0.2"),
        (Server("valkey", (7, 2, 5)), Result.FAILED, "too old"),
        (Server("valkey", (8, 1, 1)), Result.OK, "valkey 8.1.1"),
    ],
)
def test_versions(server: Server, result: Result, words: str) -> None:
    found = preflight.server_finding(server)
    assert (found.result, words in found.found) == (result, True)


@pytest.mark.parametrize(
    ("info", "fsync", "save", "result", "words"),
    [
        ({"aof_enabled": "1"}, "everysec", "", Result.OK, "loses up to a second"),
        ({"aof_enabled": "1"}, "always", "", Result.OK, "appendonly yes, appendfsync always"),
        ({"aof_enabled": "1"}, None, None, Result.OK, "appendonly yes"),
        ({"aof_enabled": "1"}, "no", "", Result.WARNING, "appendfsync no"),
        ({"aof_enabled": "0"}, "no", "", Result.WARNING, "a restart loses every event"),
        ({"aof_enabled": "0"}, "no", "60 1", Result.WARNING, "since the last snapshot"),
        ({"aof_enabled": "0"}, None, None, Result.WARNING, "since the last snapshot"),
        (
            {"aof_enabled": "1", "rdb_last_bgsave_status": "err"},
            *("always", "", Result.FAILED, "cannot write to its disk"),
        ),
    ],
)
def test_persistence(
    info: dict[str, str], fsync: str | None, save: str | None, result: Result, words: str
) -> None:
    found = preflight.persistence_finding(info, fsync, save)
    assert (found.result, words in found.found) == (result, True), found


@pytest.mark.parametrize(
    ("maxmemory", "used", "policy", "result"),
    [
        (0, 1, "noeviction", Result.WARNING),
        (0, 1, "allkeys-lru", Result.WARNING),
        (100, 1, "allkeys-lru", Result.FAILED),
        (100, 1, "volatile-ttl", Result.WARNING),
        (100, 50, "noeviction", Result.OK),
        (100, 95, "noeviction", Result.WARNING),
    ],
)
def test_memory(maxmemory: int, used: int, policy: str, result: Result) -> None:
    told = {"maxmemory": str(maxmemory), "used_memory": str(used), "maxmemory_policy": policy}
    assert preflight.memory_finding(told).result is result


def test_replicas_and_clock() -> None:
    assert preflight.replicas_finding({"role": "slave"}).result is Result.FAILED
    one = preflight.replicas_finding({"role": "master", "connected_slaves": "1"})
    assert (one.result, one.found) == (Result.OK, "a primary with 1 replica")
    assert preflight.clock_finding(-0.4).result is Result.OK
    assert preflight.clock_finding(-7.25).found == "this machine is 7.2 s behind Redis"


def test_many_missing_rights_are_named_in_part() -> None:
    found = preflight.rights_finding(rights_of(KEYS))
    assert found.result is Result.FAILED
    assert found.found.startswith("this user may not hello auth ping select info time and ")


def test_newer_commands_are_told_and_so_is_that_none_is_used() -> None:
    old = preflight.features_finding(Server("redis", (7, 0, 15)))
    assert old.result is Result.OK
    assert old.found == "no newer stream commands"
    new = preflight.features_finding(Server("redis", (8, 2, 3)))
    assert new.found == "XACKDEL, XTRIM ACKED; Headrace uses none of these yet"
