"""A TCP proxy between the workers and Redis that cuts, withholds, stalls and slows.

It runs in a thread of its own with its own loop; the methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

CHUNK = 65_536
NAMED = re.compile(rb"SETNAME\r\n\$\d+\r\n(\S+)\r\n")


@dataclass(eq=False)
class Link:
    """One client's connection and its connection to the server."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    swallow_replies: bool = False
    """Requests still reach the server, their replies do not come back."""
    cut_reply: bool = False
    """The next reply is cut in the middle, then the link closes."""
    cut_request: bool = False
    """The next request is cut in the middle, then the link closes."""
    client: str = ""
    """The name that the client gave this connection."""

    def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@dataclass
class Proxy:
    """`start()` gives the port to hand to the workers."""

    target_port: int
    seed: int
    bytes_per_second: float = math.inf
    """Of each connection and direction."""
    links: set[Link] = field(default_factory=set)
    carried: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Client -> Unix seconds at which a full chunk passed, which is part of a large message."""
    port: int = 0

    def __post_init__(self) -> None:
        self._rate = self.bytes_per_second
        self._refused: bytes | None = None
        self._random = random.Random(self.seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._flowing = asyncio.Event()

    def start(self) -> int:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self.port

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut_all(self) -> None:
        """Reset every connection, whatever is under way."""

        def close() -> None:
            for link in list(self.links):
                link.close()

        self._loop.call_soon_threadsafe(close)

    def cut_requests(self) -> None:
        """On every connection: the next request arrives half, then the connection is reset."""
        self._mark("cut_request")

    def cut_replies(self) -> None:
        """On every connection: half of the next reply arrives, then the connection is reset."""
        self._mark("cut_reply")

    def withhold_replies(self) -> None:
        """On every connection: the next request is executed, its reply lost, the link reset."""
        self._mark("swallow_replies")

    def stall(self, seconds: float) -> None:
        """Nothing passes in either direction for so long."""

        def stop() -> None:
            self._flowing.clear()
            self._loop.call_later(seconds, self._flowing.set)

        self._loop.call_soon_threadsafe(stop)

    def slow_down(self, bytes_per_second: float, seconds: float) -> None:
        """Each connection carries no more than that, for so long."""

        def begin() -> None:
            self._rate = bytes_per_second
            self._loop.call_later(seconds, setattr, self, "_rate", self.bytes_per_second)

        self._loop.call_soon_threadsafe(begin)

    def refuse(self, words: bytes, seconds: float) -> None:
        """For so long: a request that holds these words is not passed on, and its link is reset."""

        def begin() -> None:
            self._refused = words
            self._loop.call_later(seconds, setattr, self, "_refused", None)

        self._loop.call_soon_threadsafe(begin)

    def _mark(self, flag: str) -> None:
        def mark() -> None:
            for link in self.links:
                setattr(link, flag, True)

        self._loop.call_soon_threadsafe(mark)

    async def _listen(self) -> int:
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _shut(self) -> None:
        self._server.close()
        for link in list(self.links):
            link.close()
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        if tasks:  # a link that is closed ends by itself, and a task that is cancelled is told of
            _, tasks = await asyncio.wait(tasks, timeout=1.0)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        link = Link((writer, up_writer))
        self.links.add(link)
        tasks = [
            asyncio.create_task(self._requests(link, reader, up_writer)),
            asyncio.create_task(self._replies(link, up_reader, writer)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.close()
            self.links.discard(link)
            for task in tasks:
                task.cancel()

    async def _requests(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                if self._refused is not None and self._refused in data:
                    return
                if link.cut_request:
                    writer.write(data[: self._random.randrange(len(data))])
                    await writer.drain()
                    return
                if not link.client and (named := NAMED.search(data)):
                    link.client = named[1].decode()
                await self._pass_on(link, data, writer)

    async def _replies(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                if link.swallow_replies:
                    return
                if link.cut_reply:
                    writer.write(data[: self._random.randrange(len(data))])
                    await writer.drain()
                    return
                await self._pass_on(link, data, writer)

    async def _pass_on(self, link: Link, data: bytes, writer: asyncio.StreamWriter) -> None:
        if len(data) == CHUNK:
            self.carried[link.client].append(time.time())
        writer.write(data)
        await writer.drain()
        if self._rate < math.inf:
            await asyncio.sleep(len(data) / self._rate)
