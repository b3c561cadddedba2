"""The operator's Redis clients: one per (target, credentials), shared by all pipelines.

Credentials live in memory only. They outlive their Secret, so that a pipeline being deleted
can still be cleaned up after the Secret is gone.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace

import redis.asyncio
import redis.exceptions

from headrace.streams.connect import (
    REDIS_ERRORS,
    Mode,
    Target,
    cluster_map,
    connect,
    locator_of,
)
from headrace.streams.credentials import Credentials
from headrace.streams.primary import Address, ClusterMap, Locator
from headrace.streams.url import join_endpoint
from headrace_operator.backlog.allowed_hosts import AllowedHosts, NoAccess, refuse_link_local

CLIENT_NAME = "headrace-operator"
_OUR_WAY = {"redis_connect_func": refuse_link_local}


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client certificate and its key, in PEM; never shown."""

    certificate: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Where one pipeline's data is and how to get in.

    Equal by target, user name, password and certificate, so that pipelines of one Redis share a
    client and a rotated password makes a new one.
    """

    target: Target
    credentials: Credentials | None = field(default=None, repr=False)
    certificate: ClientCertificate | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """Names the endpoint for logs and metrics: `host:port/db`, never a credential."""
        return f"{','.join(self.target.endpoints)}/{self.target.database}"

    def _identity(self) -> tuple[object, ...]:
        logins = [
            None if known is None else tuple(known.get_credentials())
            for known in (self.credentials, self.target.sentinel_credentials)
        ]
        return self.target, *logins, self.certificate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Access) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


class RedisAccess:
    """Pools clients and remembers each pipeline's last access."""

    def __init__(self, hosts: AllowedHosts | None = None) -> None:
        self._hosts = hosts or AllowedHosts()
        self._accesses: dict[str, Access] = {}
        self._clients: dict[Access, _Client] = {}

    def permitted(self, access: Access) -> Access:
        """The access itself. Raises NoAccess when the operator may not connect there."""
        self._hosts.check(access.target.endpoints)
        return access

    def remember(self, key: str, access: Access) -> None:
        """Notes the access of pipeline `key` (`namespace/name`); the newest one counts."""
        self._accesses[key] = access

    def recall(self, key: str) -> Access | None:
        """The last access of `key`, also after its Secret is gone."""
        return self._accesses.get(key)

    def forget(self, key: str) -> None:
        """Drops `key`; clients that nobody uses any more are closed by `close_unused`."""
        self._accesses.pop(key, None)

    async def client(self, access: Access, key: str) -> redis.asyncio.Redis:
        """The shared admin client of the server with `key`: in a Cluster one per node. Short
        socket time-outs; never retries by itself. Raises redis errors, in a Cluster only."""
        return await self._client(access).of(key)

    async def clients(self, access: Access) -> list[redis.asyncio.Redis]:
        """One of each server that takes writes: in a Cluster all primaries. Raises redis errors, in
        a Cluster only."""
        return await self._client(access).all()

    def _client(self, access: Access) -> _Client:
        known = self._clients.get(access)
        if known is None:
            known = self._clients[access] = _Client(access, self._hosts)
        return known

    def doubt(self, access: Access) -> None:
        """A call failed: a Cluster is asked again who owns its slots before the next one."""
        if access in self._clients:
            self._clients[access].in_doubt = True

    async def close_unused(self) -> None:
        """Closes the clients of accesses that no remembered key has."""
        used = set(self._accesses.values())
        for access in [access for access in self._clients if access not in used]:
            await self._clients.pop(access).aclose()

    async def aclose(self) -> None:
        """Closes everything."""
        while self._clients:
            _, client = self._clients.popitem()
            # A call that was cancelled leaves its error on the connection, and closing raises it.
            with suppress(asyncio.CancelledError, *REDIS_ERRORS):
                await client.aclose()


class _Client:
    """One client, or one per node, and the memory files that TLS reads at each connection."""

    def __init__(self, access: Access, hosts: AllowedHosts) -> None:
        self._files: list[int] = []
        target = access.target
        if access.certificate is not None and target.tls is not None:
            # OpenSSL loads certificates from paths only; these never touch a disk.
            cert_file = self._in_memory(access.certificate.certificate)
            key_file = self._in_memory(access.certificate.key)
            target = replace(
                target, tls=replace(target.tls, cert_file=cert_file, key_file=key_file)
            )
        self._target, self._credentials = target, access.credentials
        self._hosts = hosts
        self._map: ClusterMap | None = None
        self._sentinels: Locator | None = None
        if target.mode is Mode.CLUSTER:
            self._map = cluster_map(target, access.credentials, _OUR_WAY, self._check)
        else:
            self._sentinels = locator_of(
                target, access.credentials, options=_OUR_WAY, check=self._check
            )
        self.in_doubt = True
        self._refreshing = asyncio.Lock()
        self._redis: dict[Address | None, redis.asyncio.Redis] = {}

    async def of(self, key: str) -> redis.asyncio.Redis:
        if self._map is None:
            return self._at(None)
        await self._refresh()
        return self._at(self._map.owner(key))

    async def all(self) -> list[redis.asyncio.Redis]:
        if self._map is None:
            return [self._at(None)]
        await self._refresh()
        return [self._at(node) for node in self._map.owners]

    async def _refresh(self) -> None:
        assert self._map is not None
        async with self._refreshing:
            if self.in_doubt:
                await self._map.refresh()
                self.in_doubt = False

    def _at(self, node: Address | None) -> redis.asyncio.Redis:
        """`node`: of a Cluster."""
        target = self._target
        if node is not None:
            target = replace(target, mode=Mode.STANDALONE, endpoints=(join_endpoint(*node),))
        if node not in self._redis:
            self._redis[node] = connect(
                target,
                self._credentials,
                role="admin",
                locator=self._sentinels,
                options=_OUR_WAY,
                client_name=CLIENT_NAME,
            )
        return self._redis[node]

    def _check(self, address: Address) -> None:
        """Whoever names a server is no more to be trusted than who names an endpoint."""
        try:
            self._hosts.check([join_endpoint(*address)])
        except NoAccess as error:
            raise redis.exceptions.ConnectionError(str(error)) from None

    def _in_memory(self, text: str) -> str:
        descriptor = os.memfd_create("headrace-tls", os.MFD_CLOEXEC)
        self._files.append(descriptor)
        os.write(descriptor, text.encode())
        return f"/proc/self/fd/{descriptor}"

    async def aclose(self) -> None:
        while self._redis:
            await self._redis.popitem()[1].aclose()
        while self._files:
            os.close(self._files.pop())
