"""Where the primary is: what the sentinels say, or which node of a Cluster owns a slot.

A locator is asked before each connection, and never in between: commands go over a plain connection
to one server. Its own connections live for one question, so that it may be asked from any loop, and
reads credentials and certificates anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import redis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, NodesManager
from redis.crc import key_slot
from redis.exceptions import (
    AuthenticationError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from headrace.streams import refusals

Address = tuple[str, int]
ConnectionOptions = dict[str, Any]

ADVICE = (
    "where clients cannot reach that address, have the servers announce one that they can:"
    " {settings}"
)


Check = Callable[[Address], None]
"""Raises redis.ConnectionError for an address that shall not be connected to."""


def allow(_: Address) -> None:
    """Every address."""


class NoPrimary(redis.ConnectionError):
    """No sentinel names a primary that is up.

    `reasons`: why, by the sentinel's address. `tellable`: those that say nothing of the network: a
    sentinel's own words, a name that does not resolve, a wrong certificate. `refused`: every
    sentinel refused the question.
    """

    def __init__(
        self, master: str, reasons: Sequence[str], tellable: Sequence[str], *, refused: bool
    ) -> None:
        super().__init__(_no_primary(master, reasons))
        self.refused = refused
        self.tellable = _no_primary(master, tellable) if tellable else None
        """The message without what the network did; None where nothing else is known."""


def _no_primary(master: str, reasons: Sequence[str]) -> str:
    return f"no sentinel names a primary {master!r} that is up ({'; '.join(reasons)})"


class SlotNotServed(redis.ConnectionError):
    """A Cluster answers, and no node of it has the slot."""


class Locator(Protocol):
    """Says where to connect to. Clients of one process share it."""

    found: Address | None
    """The last answer."""

    async def __call__(self) -> Address:
        """The primary's address at this moment. Raises redis.ConnectionError with a sentence."""

    def unreachable(self, address: Address) -> str:
        """What to check when nobody answers at the address it gave."""


class SentinelLocator:
    """Asks the sentinels for their primary, one after the other. The one that knew is asked first
    the next time."""

    def __init__(
        self,
        sentinels: Sequence[Address],
        master: str,
        options: ConnectionOptions,
        check: Check = allow,
    ) -> None:
        self._check = check
        self.found: Address | None = None
        self._sentinels = list(sentinels)
        self._master = master
        self._options = options

    async def __call__(self) -> Address:
        reasons, tellable, refused = [], [], 0
        for sentinel in tuple(self._sentinels):
            host, port = sentinel
            client = Redis.from_pool(ConnectionPool(host=host, port=port, **self._options))
            try:
                known: Any = await client.sentinel_masters()
            except (ResponseError, AuthenticationError) as error:
                refused += 1
                answer = refusals.describe(error)
            except (RedisError, OSError) as error:
                reasons.append(f"{host}:{port}: {refusals.describe(error)}")
                if refusals.is_seen_from_here(error):
                    tellable.append(reasons[-1])
                continue
            else:
                state = known.get(self._master)
                if state is not None and _is_up(state):
                    return self._chosen(sentinel, (state["ip"], int(state["port"])))
                answer = "knows no primary of this name" if state is None else "sees it down"
            finally:
                await client.aclose()
            tellable.append(f"{host}:{port}: {answer}")
            reasons.append(tellable[-1])
        everybody = refused == len(reasons)
        raise NoPrimary(self._master, reasons, tellable, refused=everybody)

    def _chosen(self, sentinel: Address, address: Address) -> Address:
        self._sentinels.remove(sentinel)
        self._sentinels.insert(0, sentinel)
        self._check(address)
        self.found = address
        return address

    def unreachable(self, address: Address) -> str:
        settings = "replica-announce-ip, or sentinel resolve-hostnames and announce-hostnames"
        host, port = address
        advice = ADVICE.format(settings=settings)
        return f"the sentinels give {host}:{port} as primary {self._master!r}; {advice}"


def _is_up(state: dict[str, Any]) -> bool:
    return bool(state["is_master"] and not state["is_sdown"] and not state["is_odown"])


class ClusterMap:
    """The owners of a Cluster's slots, as any of its nodes tells them. Seeds that are away do no
    harm as long as one node answers that was seen before."""

    def __init__(
        self, seeds: Sequence[Address], options: ConnectionOptions, check: Check = allow
    ) -> None:
        self._check = check
        self._seeds = seeds
        self._options = options
        self._seen: set[Address] = set()
        self._owners: dict[int, Address] = {}

    async def refresh(self) -> None:
        """Ask again. Raises redis.ConnectionError when no node answers."""
        seeds = [ClusterNode(host, port, **self._options) for host, port in self._seeds]
        nodes = NodesManager(seeds, require_full_coverage=False, connection_kwargs=self._options)
        seen = sorted(self._seen.difference(self._seeds))
        try:
            await nodes.initialize(additional_startup_nodes_info=seen)
        except RedisClusterException as error:
            raise redis.ConnectionError(
                f"no node of the Redis Cluster says who owns its slots: {_first_cause(error)}"
            ) from None
        finally:
            for node in {*seeds, *nodes.startup_nodes.values(), *nodes.nodes_cache.values()}:
                await node.disconnect()
        for node in nodes.nodes_cache.values():
            self._check((node.host, int(node.port)))
        self._seen = {(node.host, int(node.port)) for node in nodes.nodes_cache.values()}
        self._owners = {
            slot: (owners[0].host, int(owners[0].port))
            for slot, owners in nodes.slots_cache.items()
        }

    @property
    def owners(self) -> list[Address]:
        """Every node that owned a slot at the last refresh."""
        return sorted(set(self._owners.values()))

    def owner(self, key: str) -> Address:
        """The node that owned the key's slot at the last refresh. Raises SlotNotServed."""
        owner = self._owners.get(slot := key_slot(key.encode()))
        if owner is None:
            raise SlotNotServed(f"no node of the Redis Cluster serves slot {slot}")
        return owner


class SlotLocator:
    """Asks a Cluster for the owner of one key's slot."""

    def __init__(self, cluster: ClusterMap, key: str) -> None:
        self.found: Address | None = None
        self._cluster = cluster
        self._key = key

    async def __call__(self) -> Address:
        await self._cluster.refresh()
        self.found = self._cluster.owner(self._key)
        return self.found

    def unreachable(self, address: Address) -> str:
        host, port = address
        settings = "cluster-announce-ip, or cluster-announce-hostname"
        return (
            f"the Cluster gives {host}:{port} for {self._key}; {ADVICE.format(settings=settings)}"
        )


def same_slot(*keys: str) -> bool:
    """Whether a Cluster keeps all these keys on one node."""
    return len({key_slot(key.encode()) for key in keys}) <= 1


def _first_cause(error: BaseException) -> str:
    """What went wrong first: redis-py wraps it twice, the second time under other words."""
    _, *deeper = refusals.causes(error)
    first = next((one for one in deeper if isinstance(one, RedisError)), [error, *deeper][-1])
    return refusals.describe(first)
