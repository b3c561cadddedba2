"""Where the operator may connect to: it stands elsewhere in the network than who names the address.

Link-local addresses are never allowed: the cloud's metadata service answers there. Names are
judged before anything is looked up, and the address that a name led to before anything is sent.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

import redis


class NoAccess(Exception):
    """Redis cannot be reached for want of a Secret, a ConfigMap or a key in one, or may not be;
    says which."""


class AllowedHosts:
    """`patterns`: hosts as `redis.endpoints` names them, with the namespace filled in; `*` stands
    for any part of a name. None at all: every host but the link-local ones."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._named = tuple(patterns)
        self._patterns = [
            re.compile(re.escape(one).replace(r"\*", "[^:/]*"), re.IGNORECASE)
            for one in self._named
        ]

    def check(self, endpoints: Iterable[str]) -> None:
        """Raises NoAccess, with what to do, for the first `host:port` that is not allowed."""
        for endpoint in endpoints:
            host = endpoint.rpartition(":")[0]
            if _is_link_local(host):
                raise NoAccess(f"{host} is a link-local address; name the server's own address")
            if self._patterns and not any(one.fullmatch(host) for one in self._patterns):
                raise NoAccess(
                    f"{host} is not one of the hosts that this operator may connect to"
                    f" ({', '.join(self._named)}); name one of these, or ask for it to be added"
                    " to redis.allowedHosts of the operator's chart"
                )


async def refuse_link_local(connection: Any) -> None:
    """redis-py's hook for a new connection: raises before a password is sent."""
    peer = connection._writer.get_extra_info("peername")
    if peer is not None and _is_link_local(str(peer[0])):
        raise redis.ConnectionError(
            f"{connection.host} leads to the link-local address {peer[0]}, where the operator does"
            " not connect"
        )
    await connection.on_connect()


def _is_link_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False  # a name
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_link_local)
