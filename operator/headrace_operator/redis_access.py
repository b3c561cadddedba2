"""The operator's Redis clients: one per (target, credentials), shared by all pipelines.

Credentials live in memory only. They outlive their Secret, so that a pipeline being deleted
can still be cleaned up after the Secret is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis.asyncio

from headrace.streams.connect import Credentials, Target


@dataclass(frozen=True, slots=True)
class Access:
    """Where one pipeline's data is and how to get in. Equal accesses share clients."""

    target: Target
    credentials: Credentials | None

    @property
    def endpoint(self) -> str:
        """Names the endpoint for logs and metrics: `host:port/db`, never a credential."""
        raise NotImplementedError


class RedisAccess:
    """Pools clients and remembers each pipeline's last access."""

    def remember(self, key: str, access: Access) -> None:
        """Notes the access of pipeline `key` (`namespace/name`); the newest one counts."""
        raise NotImplementedError

    def recall(self, key: str) -> Access | None:
        """The last access of `key`, also after its Secret is gone."""
        raise NotImplementedError

    def forget(self, key: str) -> None:
        """Drops `key`; clients that nobody uses any more are closed by `close_unused`."""
        raise NotImplementedError

    def client(self, access: Access) -> redis.asyncio.Redis:
        """The shared admin client. Short socket time-outs; never retries by itself."""
        raise NotImplementedError

    async def close_unused(self) -> None:
        """Closes the clients of accesses that no remembered key has."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Closes everything."""
        raise NotImplementedError
