"""Probes and metrics of the operator are served on every address of its pod."""

import errno
import socket
from typing import Any

import aiohttp
import pytest

from headrace.worker.listening import listening
from headrace_operator.telemetry.http import Server


async def livez(host: str, port: int) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}/livez") as answer,
    ):
        return answer.status


def free_on_both() -> int:
    with listening("", 0) as found:
        return int(found.getsockname()[1])


async def test_both_families_are_answered() -> None:
    port = free_on_both()
    server = Server("", port, live=lambda: None, ready=lambda: None)
    await server.start()
    try:
        assert [await livez(host, port) for host in ("127.0.0.1", "[::1]")] == [200, 200]
    finally:
        await server.stop()


def test_where_ipv6_is_off_ipv4_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server

    def refuse(address: Any, *, family: int = socket.AF_INET, **more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return create(address, family=family, **more)

    monkeypatch.setattr(socket, "create_server", refuse)
    with listening("", 0) as found:
        assert found.family == socket.AF_INET


def test_a_port_that_is_taken_is_told() -> None:
    with listening("", 0) as taken, pytest.raises(OSError, match="in use"):
        listening("", taken.getsockname()[1])
