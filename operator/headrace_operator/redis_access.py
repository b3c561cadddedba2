"""The operator's Redis clients: one per (target, credentials), shared by all pipelines.

Credentials live in memory only. They outlive their Secret, so that a pipeline being deleted
can still be cleaned up after the Secret is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import redis.asyncio

from headrace.streams.connect import Credentials, Target, connect

CLIENT_NAME = "headrace-operator"


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Where one pipeline's data is and how to get in.

    Equal by target, user name and password, so that pipelines of one Redis share a client and
    a rotated password makes a new one.
    """

    target: Target
    credentials: Credentials | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """Names the endpoint for logs and metrics: `host:port/db`, never a credential."""
        return f"{','.join(self.target.endpoints)}/{self.target.database}"

    def _identity(self) -> tuple[Target, tuple[str, ...] | None]:
        known = self.credentials
        return self.target, None if known is None else tuple(known.get_credentials())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Access) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


class RedisAccess:
    """Pools clients and remembers each pipeline's last access."""

    def __init__(self) -> None:
        self._accesses: dict[str, Access] = {}
        self._clients: dict[Access, redis.asyncio.Redis] = {}

    def remember(self, key: str, access: Access) -> None:
        """Notes the access of pipeline `key` (`namespace/name`); the newest one counts."""
        self._accesses[key] = access

    def recall(self, key: str) -> Access | None:
        """The last access of `key`, also after its Secret is gone."""
        return self._accesses.get(key)

    def forget(self, key: str) -> None:
        """Drops `key`; clients that nobody uses any more are closed by `close_unused`."""
        self._accesses.pop(key, None)

    def client(self, access: Access) -> redis.asyncio.Redis:
        """The shared admin client. Short socket time-outs; never retries by itself.

        Raises NotImplementedMode.
        """
        client = self._clients.get(access)
        if client is None:
            client = connect(
                access.target, access.credentials, role="admin", client_name=CLIENT_NAME
            )
            self._clients[access] = client
        return client

    async def close_unused(self) -> None:
        """Closes the clients of accesses that no remembered key has."""
        used = set(self._accesses.values())
        for access in [access for access in self._clients if access not in used]:
            await self._clients.pop(access).aclose()

    async def aclose(self) -> None:
        """Closes everything."""
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()
