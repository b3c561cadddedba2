"""What a server tells of itself, for people: version, role, persistence, eviction. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.streams.durability import Risk, risk_of
from headrace.streams.info import Info
from headrace.streams.server import Server, server_of


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One server. `replicas` that are connected; `eviction` is its maxmemory-policy.

    `appendonly` and `eviction` are None where the server does not say.
    """

    server: Server
    is_primary: bool
    replicas: int
    appendonly: bool | None
    eviction: str | None
    risk: Risk | None


def facts_of(info: Info) -> ServerFacts:
    """Raises KeyError for an answer that names no version."""
    return ServerFacts(
        server=server_of(info),
        is_primary=info.get("role", "master") == "master",
        replicas=int(info.get("connected_slaves", 0)),
        appendonly={"0": False, "1": True}.get(info.get("aof_enabled", "")),
        eviction=info.get("maxmemory_policy"),
        risk=risk_of(info),
    )
