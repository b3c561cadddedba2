"""What INFO says of a server decides whether it can lose a stream by itself."""

import pytest

from headrace.streams.durability import Danger, risk_of
from headrace.streams.info import Info, info_of

SAFE = {
    "aof_enabled": "1",
    "connected_slaves": "1",
    "maxmemory": "1000",
    "maxmemory_policy": "noeviction",
    "rdb_last_bgsave_status": "ok",
}


@pytest.mark.parametrize(
    ("changes", "danger"),
    [
        ({}, None),
        ({"aof_enabled": "0"}, None),
        ({"connected_slaves": "0"}, None),
        ({"aof_enabled": "0", "connected_slaves": "0"}, Danger.NOT_PERSISTENT),
        ({"maxmemory_policy": "allkeys-lru"}, Danger.EVICTABLE),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": "0"}, None),
        ({"maxmemory_policy": "volatile-ttl"}, None),
        ({"rdb_last_bgsave_status": "err"}, Danger.WRITE_FAILED),
        ({"aof_last_write_status": "err", "maxmemory_policy": "allkeys-lfu"}, Danger.WRITE_FAILED),
    ],
)
def test_the_gravest_danger_is_told(changes: Info, danger: Danger | None) -> None:
    risk = risk_of({**SAFE, **changes})
    assert (risk.danger if risk else None) is danger


@pytest.mark.parametrize(
    ("fsync", "changes", "at_risk"),
    [
        ("no", {"connected_slaves": "0"}, True),
        ("everysec", {"connected_slaves": "0"}, False),
        (None, {"connected_slaves": "0"}, False),
        ("no", {}, False),
    ],
)
def test_a_file_that_nobody_flushes_is_no_promise(
    fsync: str | None, changes: Info, at_risk: bool
) -> None:
    risk = risk_of({**SAFE, **changes}, fsync)
    assert (risk is not None and "appendfsync no" in risk.found) is at_risk


def test_a_server_that_does_not_say_is_not_blamed() -> None:
    assert risk_of({}) is None


def test_info_is_read_line_by_line() -> None:
    text = "# Memory\r\nmaxmemory:0\r\n\r\nexecutable:/a:b\r\n"
    assert info_of(text) == {"maxmemory": "0", "executable": "/a:b"}
