"""Which addresses of a spec the operator connects to."""

from types import SimpleNamespace

import pytest
import redis

from headrace_operator.backlog.allowed_hosts import AllowedHosts, NoAccess, refuse_link_local


@pytest.mark.parametrize(
    "endpoint",
    ["redis.airport.svc:6379", "10.0.0.1:6379", "[2001:db8::1]:6379", "localhost:6379"],
)
def test_without_a_list_any_host_is_allowed(endpoint: str) -> None:
    AllowedHosts().check([endpoint])


@pytest.mark.parametrize(
    "endpoint",
    ["169.254.169.254:80", "[fe80::1]:6379", "[fe80::1%eth0]:6379", "[::ffff:169.254.169.254]:80"],
)
def test_link_local_addresses_never_are_also_where_a_pattern_would_take_them(endpoint: str) -> None:
    for hosts in (AllowedHosts(), AllowedHosts(["*", "[*]"])):
        with pytest.raises(NoAccess, match="link-local"):
            hosts.check([endpoint])


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("a.redis.svc:6379", True),
        ("A.Redis.svc:6379", True),
        ("redis.example.com:6380", True),
        ("redis.svc:6379", False),
        ("a.redis.svc.evil.com:6379", False),
        ("redisXexample.com:6379", False),
        ("10.0.0.1:6379", False),
    ],
)
def test_with_a_list_only_what_a_pattern_matches_as_a_whole(endpoint: str, allowed: bool) -> None:
    hosts = AllowedHosts(["*.redis.svc", "redis.example.com"])
    if allowed:
        hosts.check([endpoint])
        return
    with pytest.raises(NoAccess, match=r"may connect to \(\*\.redis\.svc, redis\.example\.com\)"):
        hosts.check(["a.redis.svc:6379", endpoint])


class Connection:
    """As redis-py hands it over: the socket is open, nothing is sent."""

    def __init__(self, peer: object) -> None:
        self.host = "innocent.example.com"
        self._writer = SimpleNamespace(get_extra_info={"peername": peer}.get)
        self.greeted = False

    async def on_connect(self) -> None:
        self.greeted = True


@pytest.mark.parametrize("peer", [("169.254.169.254", 80), ("fe80::1", 6379, 0, 2)])
async def test_a_name_that_leads_to_a_link_local_address_is_told_no_password(peer: object) -> None:
    connection = Connection(peer)
    with pytest.raises(redis.ConnectionError, match="leads to the link-local"):
        await refuse_link_local(connection)
    assert not connection.greeted


async def test_other_peers_are_greeted() -> None:
    for peer in (("10.0.0.1", 6379), ("::1", 6379, 0, 0), None):
        connection = Connection(peer)
        await refuse_link_local(connection)
        assert connection.greeted
