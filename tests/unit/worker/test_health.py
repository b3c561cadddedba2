"""Probes and metrics are served on every address of the pod."""

import errno
import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from headrace.worker.health import HealthServer
from headrace.worker.listening import listening

NO_IPV6 = OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")


def livez(host: str, port: int) -> int:
    with urllib.request.urlopen(f"http://{host}:{port}/livez", timeout=5) as answer:
        return int(answer.status)


def test_both_families_are_answered() -> None:
    server = HealthServer(0, CollectorRegistry(), lambda: None, lambda: None)
    try:
        assert [livez(host, server.port) for host in ("127.0.0.1", "[::1]")] == [200, 200]
    finally:
        server.close()


def test_where_ipv6_is_off_ipv4_is_answered(monkeypatch) -> None:
    create = socket.create_server

    def refuse(address, *, family=socket.AF_INET, **more):
        if family == socket.AF_INET6:
            raise NO_IPV6
        return create(address, family=family, **more)

    monkeypatch.setattr(socket, "create_server", refuse)
    server = HealthServer(0, CollectorRegistry(), lambda: None, lambda: None)
    try:
        assert livez("127.0.0.1", server.port) == 200
    finally:
        server.close()


def test_a_port_that_is_taken_is_told() -> None:
    with (
        socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        listening("", taken.getsockname()[1])
