"""/metrics, /livez and /readyz over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from headrace.worker.listening import listening

Check = Callable[[], str | None]
"""Answers None when all is well, else what is wrong."""


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
    ) -> None:
        self._host = host
        self._port = port
        application = web.Application()
        application.router.add_get("/metrics", _metrics(more_metrics))
        application.router.add_get("/livez", _probe(live))
        application.router.add_get("/readyz", _probe(ready))
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False)

    async def start(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, listening(self._host, self._port)).start()

    async def stop(self) -> None:
        await self._runner.cleanup()


def _metrics(more: Callable[[], str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        body = generate_latest() + more().encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return answer


def _probe(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        wrong = check()
        return web.Response(text=(wrong or "ok") + "\n", status=503 if wrong else 200)

    return answer
