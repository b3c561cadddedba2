"""A real Prometheus scrapes the operator's metrics over TLS, if it shows its certificate."""

from __future__ import annotations

import asyncio
import urllib.error
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus
from tests.support.redis_tls import make_certificates
from tests.support.waiting import eventually

import headrace_operator.metrics  # noqa: F401 - what is served
from headrace_operator.telemetry.http import SecurePort, Server
from headrace_operator.telemetry.tls import ServerTLS

NAME = "headrace-metrics.headrace-system.svc"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    make_certificates(tmp_path, NAME)
    return tmp_path


@pytest.fixture
async def target(files: Path) -> AsyncIterator[str]:
    """The address of an operator that answers those with a certificate of its authority."""
    port = free_port()
    tls = ServerTLS(files, client_certificates=True)
    secure = SecurePort(port, tls.context())
    server = Server("127.0.0.1", 0, live=lambda: None, ready=lambda: None, secure=secure)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop()


@pytest.mark.parametrize(("shown", "up"), [(True, 1), (False, 0)])
async def test_who_shows_a_certificate_is_answered(
    target: str, files: Path, shown: bool, up: int
) -> None:
    tls = {"ca_file": str(files / "ca.crt"), "server_name": NAME}
    if shown:
        tls |= {"cert_file": str(files / "tls.crt"), "key_file": str(files / "tls.key")}
    server = Prometheus(files, target, scheme="https", tls_config=tls)

    def seen() -> list[dict[str, Any]]:
        try:
            return server.query(f"up == {up}")
        except (OSError, urllib.error.URLError):  # it starts
            return []

    try:
        await eventually(seen)
        assert bool(server.query("headrace_operator_build_info")) is shown
    finally:
        await asyncio.to_thread(server.close)
