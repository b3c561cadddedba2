"""A proxy whose network goes away without a word: no refusal, no reset, no answer."""

from __future__ import annotations

import asyncio
import socket

from tests.crash.proxy import Proxy


class VanishingProxy(Proxy):
    """Between `vanish` and `come_back` connections that stand carry nothing, and new ones are not
    even refused: the queue of the port is full, so the kernel answers no SYN."""

    def vanish(self) -> None:
        asyncio.run_coroutine_threadsafe(self._vanish(), self._loop).result()

    def come_back(self) -> None:
        """The other side knows nothing of the connections that stood before."""
        asyncio.run_coroutine_threadsafe(self._come_back(), self._loop).result()

    def move(self, host: str) -> None:
        """Listen at another address of the machine, and no longer where it was."""
        asyncio.run_coroutine_threadsafe(self._move(host), self._loop).result()

    async def _move(self, host: str) -> None:
        self._server.close()
        for link in list(self.links):
            link.close()
        self._server = await asyncio.start_server(self._accept, host, self.port)

    async def _vanish(self) -> None:
        self._flowing.clear()
        self._server.close()
        self._full = socket.socket()
        self._full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._full.bind(("127.0.0.1", self.port))
        self._full.listen(0)
        self._waiting = [socket.socket() for _ in range(2)]
        for one in self._waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))

    async def _come_back(self) -> None:
        for one in (*self._waiting, self._full):
            one.close()
        for link in list(self.links):
            link.close()
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
