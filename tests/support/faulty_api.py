"""A proxy before the API server that does to requests what networks and busy servers do."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from kubernetes import client, config


@dataclass(frozen=True)
class Fault:
    """What a request meets: an ``answer`` in place of the server's, or none.

    ``carried_out``: the server has done it all the same. ``watch_error``: a watch begins, and its
    first event is this status.
    """

    name: str
    answer: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    carried_out: bool = False
    watch_error: int | None = None


DROPPED = Fault("dropped")
LOST_ANSWER = Fault("lost answer", carried_out=True)
TOO_MANY = Fault("429", answer=429, headers={"Retry-After": "1"})
CONFLICT = Fault("409", answer=409)
INTERNAL = Fault("500", answer=500)
UNAVAILABLE = Fault("503", answer=503, headers={"Retry-After": "1"})
EXPIRED = Fault("410", watch_error=410)

Fate = Callable[[str, str], Fault | None]
"""Method and path with query -> what the request meets; None: it passes."""


class FaultyApi:
    """Serves from a thread of its own. ``fate`` may be replaced at any time; ``struck`` counts."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self.fate: Fate = lambda _method, _path: None
        self.struck = 0
        self.kubeconfig = directory / "through-the-proxy.yaml"
        self._configuration = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=self._configuration)
        self._open: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()])

    def __enter__(self) -> FaultyApi:
        self._thread.start()
        name = "faulty"
        cluster = {"server": f"http://127.0.0.1:{self._port.result(20)}"}
        written = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        self.kubeconfig.write_text(yaml.safe_dump(written), encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()

    def cut(self) -> None:
        """Ends every connection that is open, as a server does that goes away."""

        def abort() -> None:
            for one in list(self._open):
                one.abort()

        self._loop.call_soon_threadsafe(abort)

    async def _serve(self) -> None:
        given = self._configuration
        trust = ssl.create_default_context(cafile=given.ssl_ca_cert)
        trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
        trust.load_cert_chain(given.cert_file, given.key_file)
        connector = TCPConnector(ssl=trust, limit=0)
        async with ClientSession(connector=connector, auto_decompress=False) as session:

            async def handle(request: web.Request) -> web.StreamResponse:
                return await self._handle(request, session)

            server = web.Server(handle)  # type: ignore[arg-type]
            listening = await self._loop.create_server(server, "127.0.0.1", 0)
            self._port.set_result(listening.sockets[0].getsockname()[1])
            await self._stop.wait()
            listening.close()
            await server.shutdown(1)

    async def _handle(self, request: web.BaseRequest, session: ClientSession) -> Any:
        path = request.raw_path
        fault = self.fate(request.method, path)
        self.struck += fault is not None
        if fault is not None and fault.answer is not None:
            reason = {"kind": "Status", "reason": fault.name, "message": f"test: {fault.name}"}
            return web.json_response(reason, status=fault.answer, headers=fault.headers)
        if fault is not None and fault.watch_error is not None:
            status = {"kind": "Status", "code": fault.watch_error, "reason": "Expired"}
            return web.json_response({"type": "ERROR", "object": status})
        if fault is None or fault.carried_out:
            answer = await self._forward(request, session, lost=fault is not None)
            if answer is not None:
                return answer
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _forward(
        self, request: web.BaseRequest, session: ClientSession, *, lost: bool
    ) -> web.StreamResponse | None:
        url = f"{self._configuration.host}{request.raw_path}"
        kept = ("accept", "content-type")
        headers = {name: value for name, value in request.headers.items() if name.lower() in kept}
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        self._open.add(transport)
        try:
            async with session.request(
                request.method,
                url,
                data=await request.read() or None,
                headers=headers,
                timeout=ClientTimeout(total=None),
            ) as answer:
                if lost:
                    await answer.read()
                    return None
                told = web.StreamResponse(status=answer.status)
                for name in ("Content-Type", "Retry-After"):
                    if name in answer.headers:
                        told.headers[name] = answer.headers[name]
                await told.prepare(request)
                async for chunk in answer.content.iter_any():
                    await told.write(chunk)
                return told
        finally:
            self._open.discard(transport)
