"""A server that says of itself that it is older: no package offers one below the floor any more."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, create_connection, socket

from tests.support.redis_servers import RedisServer

_VERSION = re.compile(rb"(redis|valkey)_version:[^\r]+")
_INFO = re.compile(rb"\$\d+\r\n(# Server\r\n.*?)\r\n(?=$|[$*:+-])", re.DOTALL)


class Aged:
    """`endpoint` leads to the server; while `version` is set, INFO tells that one."""

    def __init__(self, endpoint: str, version: str) -> None:
        self.endpoint = endpoint
        self.version: str | None = version

    def told(self, reply: bytes) -> bytes:
        if self.version is None or b"_version:" not in reply:
            return reply
        told = b"\\1_version:" + self.version.encode()
        return _INFO.sub(lambda found: _bulk(_VERSION.sub(told, found[1])), reply)


@contextmanager
def aged(server: RedisServer, version: str) -> Iterator[Aged]:
    """A way to this server on which it is that old."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with create_connection(("127.0.0.1", server.port)) as upstream:
                there = threading.Thread(target=_copy, args=(self.request, upstream), daemon=True)
                there.start()
                _copy(upstream, self.request, subject.told)
                there.join()

    class Proxy(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Proxy(("127.0.0.1", 0), Handler) as proxy:
        subject = Aged(f"127.0.0.1:{proxy.server_address[1]}", version)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield subject
        finally:
            proxy.shutdown()


def _copy(source: socket, target: socket, change=lambda data: data) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):  # an INFO of a local server comes in one piece
            target.sendall(change(data))
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(SHUT_RDWR)


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)
