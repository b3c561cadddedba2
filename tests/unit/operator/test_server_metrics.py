"""Which servers are read, and what all of them behind one address can do."""

from headrace.streams.server import Server
from headrace_operator.telemetry.server_metrics import Servers

OLD, NEW = Server("redis", (7, 2, 4)), Server("redis", (8, 4, 0))


def samples(*seen: tuple[str, Server]) -> list[str]:
    text = Servers(lambda: seen).text()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_each_server_is_told_with_what_it_has() -> None:
    assert samples(("redis:6379/0", NEW)) == [
        'headrace_redis_server_info{redis="redis:6379/0",server="redis",version="8.4.0"} 1',
        'headrace_redis_feature{redis="redis:6379/0",feature="XACKDEL"} 1',
        'headrace_redis_feature{redis="redis:6379/0",feature="XREADGROUP CLAIM"} 1',
        'headrace_redis_feature{redis="redis:6379/0",feature="XTRIM ACKED"} 1',
    ]


def test_a_cluster_that_is_half_upgraded_has_what_all_its_nodes_have() -> None:
    assert samples(("a:1/0", OLD), ("a:1/0", NEW), ("b:1/0", OLD)) == [
        'headrace_redis_server_info{redis="a:1/0",server="redis",version="7.2.4"} 1',
        'headrace_redis_server_info{redis="a:1/0",server="redis",version="8.4.0"} 1',
        'headrace_redis_server_info{redis="b:1/0",server="redis",version="7.2.4"} 1',
    ]


def test_nothing_is_told_where_nothing_is_read() -> None:
    assert Servers(lambda: ()).text() == ""
