"""/metrics, /livez and /readyz over HTTP; where it is asked, /metrics with TLS on its own port."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from headrace.worker.listening import listening

Check = Callable[[], str | None]
"""Answers None when all is well, else what is wrong."""
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class SecurePort:
    """Where /metrics is served instead. Probes stay where they are: the kubelet knows no CA."""

    port: int
    context: ssl.SSLContext


class Server:
    """A standby is ready too: its caches are warm, and a rollout must not wait for a Lease."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: Check,
        ready: Check,
        more_metrics: Callable[[], str] = str,
        secure: SecurePort | None = None,
    ) -> None:
        self._host = host
        probes = {"/livez": _probe(live), "/readyz": _probe(ready)}
        metrics = {"/metrics": _metrics(more_metrics)}
        self._sites: list[tuple[web.AppRunner, int, ssl.SSLContext | None]] = [
            (_runner(probes if secure else probes | metrics), port, None)
        ]
        if secure:
            self._sites.append((_runner(metrics), secure.port, secure.context))

    async def start(self) -> None:
        for runner, port, context in self._sites:
            await runner.setup()
            listener = listening(self._host, port)
            await web.SockSite(runner, listener, ssl_context=context).start()

    async def stop(self) -> None:
        for runner, _, _ in self._sites:
            await runner.cleanup()


def _runner(paths: dict[str, Answer]) -> web.AppRunner:
    application = web.Application()
    for path, answer in paths.items():
        application.router.add_get(path, answer)
    return web.AppRunner(application, access_log=None, handle_signals=False)


def _metrics(more: Callable[[], str]) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        body = generate_latest() + more().encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return answer


def _probe(check: Check) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        wrong = check()
        return web.Response(text=(wrong or "ok") + "\n", status=503 if wrong else 200)

    return answer
