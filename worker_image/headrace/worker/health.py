"""/metrics, /livez and /readyz, from a thread, so that a blocked loop can still be told apart from
a dead process."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from headrace.worker.listening import listening
from headrace_api.mounts import LIVEZ_PATH, METRICS_PATH, READYZ_PATH

logger = logging.getLogger("headrace.worker")

Check = Callable[[], str | None]
"""None: well. Else why not, in one sentence."""


class HealthServer:
    """Serves until `close`. `port` 0 takes a free one; `.port` says which."""

    def __init__(self, port: int, registry: CollectorRegistry, live: Check, ready: Check) -> None:
        checks = {LIVEZ_PATH: live, READYZ_PATH: ready}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == METRICS_PATH:
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif path in checks:
                    reason = checks[path]()
                    status = 200 if reason is None else 503
                    self._answer(status, f"{reason or 'ok'}\n".encode(), "text/plain")
                else:
                    self._answer(404, b"/metrics, /livez, /readyz\n", "text/plain")

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # probes are no news
                return

        self._server = Server(listening("", port), Handler)
        self.port: int = self._server.server_address[1]
        logger.info("metrics and probes on port %d", self.port)
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Server(ThreadingHTTPServer):
    """Over a socket that listens already."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
