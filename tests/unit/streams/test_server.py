"""What follows from a server's name and version."""

import pytest

from headrace.streams.info import info_of
from headrace.streams.refusals import hint
from headrace.streams.server import FEATURES, Server, server_of

ACK_DELETE = ("XACKDEL", "XTRIM ACKED")


@pytest.mark.parametrize(
    ("name", "version", "features"),
    [
        ("redis", (7, 0, 0), ()),
        ("redis", (8, 0, 9), ()),
        ("redis", (8, 2, 2), ("XTRIM ACKED",)),  # its XACKDEL may crash the server
        ("redis", (8, 2, 3), ACK_DELETE),
        ("redis", (8, 4, 0), (*ACK_DELETE, "XREADGROUP CLAIM")),
        ("redis", (8, 6, 0), (*ACK_DELETE, "XREADGROUP CLAIM", "XADD IDMP")),
        ("redis", (8, 8, 1), tuple(FEATURES)),
        ("valkey", (8, 1, 1), ()),
        ("valkey", (9, 1, 0), ()),
        ("valkey", (9, 2, 0), ("XACKDEL",)),
    ],
)
def test_features_go_by_the_version(
    name: str, version: tuple[int, ...], features: tuple[str, ...]
) -> None:
    assert Server(name, version).features == features


def test_below_the_floor_it_is_said_what_to_use() -> None:
    old = server_of(info_of("redis_version:6.2.14\r\n"))
    assert not old.is_supported
    assert old.too_old == "redis 6.2.14 is too old: use Redis 7.0 or newer, or Valkey 8 or newer"
    assert hint(f"{old} is too old") == "use Redis 7.0 or newer, or Valkey 8 or newer"
    valkey = server_of(
        info_of("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.2.5\r\n")
    )
    assert not valkey.is_supported
    assert Server("valkey", (8, 0)).is_supported
    assert Server("redis", (7, 0)).is_supported
