"""What Headrace changes in redis-py's connections.

- The time-out of a reply is for silence. As long as bytes come, a large reply over a slow line goes
  on: given up half way, it would be sent again from its start, for ever.
- Where the server may move, a connection asks for its address first.
- A connection whose server became a replica, or lost the slot, is not used again.
- Certificates are read anew for each connection.
- A user who may not call CLIENT gets a connection without a name, and not none at all.
- Commands are packed by hiredis: redis-py does it in Python, at half a microsecond an argument.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import redis
from hiredis import pack_command
from redis.asyncio import Connection, SSLConnection
from redis.asyncio.connection import DefaultParser
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
)

from headrace.streams.primary import Locator
from headrace.streams.tls_contexts import names_an_authority, trusting_only, use_as_files_stand


@contextmanager
def _unnamed(connection: Any) -> Iterator[str | None]:
    """Keep redis-py from naming the connection: it gives up where CLIENT is not permitted."""
    name, connection.client_name = connection.client_name, None
    try:
        yield name
    finally:
        connection.client_name = name


class ReplyTooLarge(redis.ConnectionError):
    """A reply grew beyond what its reader allows; the connection is gone."""


def _is_no_primary(error: ResponseError) -> bool:
    """The server became a replica, or another node of the Cluster has the slot. A new connection
    may reach the new primary, and this one never will."""
    gone = (ReadOnlyError, ClusterDownError, MovedError)  # MASTERDOWN is a CLUSTERDOWN to redis-py
    return isinstance(error, gone) or "instance state" in str(error)


class _Parser(DefaultParser):  # type: ignore[misc, valid-type]
    """Tells its connection of each piece of a reply."""

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)
        self._connection = connection

    async def read_from_socket(self) -> bool:
        piece = await self._stream.read(self._read_size)
        if not piece:
            raise redis.ConnectionError("the server closed the connection")
        self._reader.feed(piece)
        self._connection.piece_came(len(piece))
        return True


def _lost(error: redis.RedisError, locator: Locator, address: tuple[str, int]) -> redis.RedisError:
    if isinstance(error, AuthenticationError):
        return error
    return redis.ConnectionError(f"{error} ({locator.unreachable(address)})")


class _Located:
    """Mixed into the asyncio connections: asks for the address before it connects, and counts as
    closed once another connection has found the primary elsewhere. Else one would read from the
    new primary while another still writes to the old one."""

    def __init__(self, locator: Locator | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._locator = locator

    @property
    def is_connected(self) -> bool:
        connected: bool = super().is_connected  # type: ignore[misc]
        if self._locator is None or not connected:
            return connected
        return (self.host, self.port) == self._locator.found

    async def connect_check_health(self, *args: Any, **options: Any) -> None:
        connect = super().connect_check_health  # type: ignore[misc]
        if self._locator is None or self.is_connected:
            await connect(*args, **options)
            return
        await self.disconnect()  # type: ignore[attr-defined]
        self.host, self.port = address = await self._locator()
        try:
            await connect(*args, **options)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise _lost(error, self._locator, address) from None


class ReplyProgress:
    """Mixed into the asyncio connections: a reply's size and speed, and a time-out for silence."""

    socket_timeout: float | None
    """Seconds without a byte after which a reply counts as lost."""
    max_bytes: float = math.inf
    """Raise ReplyTooLarge when a reply grows beyond this."""
    received = 0
    """Bytes of the last reply, so far."""
    _silence: asyncio.Timeout | None = None
    _began = 0.0

    def __init__(self, **options: Any) -> None:
        super().__init__(parser_class=_Parser, **options)  # type: ignore[call-arg]

    @property
    def seconds(self) -> float:
        """How long the last reply has been coming in, from its first piece on."""
        return monotonic() - self._began if self.received else 0.0

    def piece_came(self, size: int) -> None:
        if not self.received:
            self._began = monotonic()
        self.received += size
        if self.received > self.max_bytes:
            raise ReplyTooLarge(f"a reply of more than {self.max_bytes / 1e6:.0f} MB")
        if self._silence is not None and self.socket_timeout is not None:
            self._silence.reschedule(asyncio.get_running_loop().time() + self.socket_timeout)

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        seconds, send = self.socket_timeout, super().send_packed_command  # type: ignore[misc]
        if seconds is None or not self.is_connected:  # type: ignore[attr-defined]
            await send(command, check_health)
            return
        # Under its own time-out redis-py makes a task of each command, which is sent a turn later.
        self.socket_timeout = None
        try:
            async with asyncio.timeout(seconds):
                await send(command, check_health)
        except TimeoutError:
            raise redis.TimeoutError(f"Redis took no command for {seconds:g} s") from None
        finally:
            self.socket_timeout = seconds

    async def read_response(self, *args: Any, **options: Any) -> Any:
        seconds = self.socket_timeout
        self.received = 0
        try:
            if seconds is None or options.get("timeout") is not None:
                return await super().read_response(*args, **options)  # type: ignore[misc]
            options["timeout"] = math.inf
            async with asyncio.timeout(seconds) as self._silence:
                return await super().read_response(*args, **options)  # type: ignore[misc]
        except TimeoutError:
            raise redis.TimeoutError(f"no answer from Redis for {seconds:g} s") from None
        except ResponseError as error:
            if _is_no_primary(error):
                self.mark_for_reconnect()  # type: ignore[attr-defined]
            raise
        finally:
            self._silence = None

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        with _unnamed(self) as name:
            await super().on_connect_check_health(check_health)  # type: ignore[misc]
        if name:
            await self.send_command("CLIENT", "SETNAME", name, check_health=False)  # type: ignore[attr-defined]
            with suppress(NoPermissionError):
                await self.read_response()

    def pack_command(self, *args: Any) -> list[bytes]:
        name = args[0]
        if " " in name if isinstance(name, str) else b" " in name:
            args = (*name.split(), *args[1:])
        return [pack_command(args)]


class AsyncConnection(_Located, ReplyProgress, Connection):
    """Without TLS."""


class AsyncTlsConnection(_Located, ReplyProgress, SSLConnection):
    """TLS to a server whose certificate carries another name than its address."""

    def __init__(self, server_name: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._server_name = server_name

    def _connection_arguments(self) -> Mapping[str, Any]:
        use_as_files_stand(self.ssl_context)
        named = {"server_hostname": self._server_name} if self._server_name else {}
        return {**super()._connection_arguments(), **named}


def _answer(locator: Locator) -> tuple[str, int]:
    """Ask for the address from a thread, also one that runs a loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(locator())).result()


class _BlockingRole:
    """For threads, too: asks for the address, and is not used again once it is no primary."""

    def __init__(self, locator: Locator | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._locator = locator

    def connect_check_health(self, *args: Any, **options: Any) -> None:
        connect = super().connect_check_health  # type: ignore[misc]
        if self._locator is None or self.is_connected:  # type: ignore[attr-defined]
            connect(*args, **options)
            return
        self.host, self.port = address = _answer(self._locator)
        try:
            connect(*args, **options)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise _lost(error, self._locator, address) from None

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            if _is_no_primary(error):
                self.mark_for_reconnect()  # type: ignore[attr-defined]
            raise

    def on_connect_check_health(self, check_health: bool = True) -> None:
        with _unnamed(self) as name:
            super().on_connect_check_health(check_health)  # type: ignore[misc]
        if name:
            self.send_command("CLIENT", "SETNAME", name, check_health=False)  # type: ignore[attr-defined]
            with suppress(NoPermissionError):
                self.read_response()


class BlockingConnection(_BlockingRole, redis.Connection):
    """Without TLS."""


class BlockingTlsConnection(_BlockingRole, redis.SSLConnection):
    """The same as AsyncTlsConnection. redis-py checks the certificate against `host` alone."""

    def __init__(self, server_name: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._server_name = server_name

    def _wrap_socket_with_ssl(self, sock: Any) -> Any:
        if names_an_authority(self):
            expected = self._server_name or self.host
            return trusting_only(self).wrap_socket(sock, server_hostname=expected)
        address, self.host = self.host, self._server_name or self.host
        try:
            return super()._wrap_socket_with_ssl(sock)  # type: ignore[no-untyped-call]
        finally:
            self.host = address
