"""Which servers the operator reads, and which of the newer commands they have, for Prometheus.

Read at each scrape from the poller, so that a series ends with its server. The label `redis` is
`host:port/database`, which holds nothing that needs escaping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headrace.streams.server import Server

INFO, FEATURE = "headrace_redis_server_info", "headrace_redis_feature"
HELP = {
    INFO: "1 for each server behind an address, with its version.",
    FEATURE: "1 for a newer command that all servers behind an address have.",
}


class Servers:
    """`text()` is the exposition; empty on a standby, which reads none."""

    def __init__(self, servers: Callable[[], Iterable[tuple[str, Server]]]) -> None:
        self._servers = servers

    def text(self) -> str:
        behind: dict[str, set[Server]] = {}
        for address, server in self._servers():
            behind.setdefault(address, set()).add(server)
        info, features = [], []
        for address, servers in sorted(behind.items()):
            for server in sorted(servers, key=str):
                version = ".".join(map(str, server.version))
                labels = f'redis="{address}",server="{server.name}",version="{version}"'
                info.append(f"{INFO}{{{labels}}} 1\n")
            for name in sorted(set.intersection(*(set(one.features) for one in servers))):
                features.append(f'{FEATURE}{{redis="{address}",feature="{name}"}} 1\n')
        return _family(INFO, info) + _family(FEATURE, features)


def _family(name: str, lines: list[str]) -> str:
    if not lines:
        return ""
    return f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n" + "".join(lines)
