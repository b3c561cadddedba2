"""The addresses of one cluster: a /22 of 198.18.0.0/15, which RFC 2544 keeps off the Internet."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from tests.cluster.errors import ClusterError

RANGE = IPv4Network("198.18.0.0/15")
BLOCKS = 128


@dataclass(frozen=True)
class Subnets:
    """Block `index` of the range: /24 for the link to the host, /24 for Services, /23 for pods."""

    block: IPv4Network

    @property
    def link(self) -> IPv4Network:
        return next(self.block.subnets(new_prefix=24))

    @property
    def services(self) -> IPv4Network:
        return list(self.block.subnets(new_prefix=24))[1]

    @property
    def pods(self) -> IPv4Network:
        return list(self.block.subnets(new_prefix=23))[1]

    @property
    def node_address(self) -> IPv4Address:
        return self.link[1]

    @property
    def host_address(self) -> IPv4Address:
        return self.link[254]

    @property
    def api_service(self) -> IPv4Address:
        return self.services[1]

    @property
    def dns_service(self) -> IPv4Address:
        return self.services[10]


def subnets(index: int) -> Subnets:
    """The addresses of the cluster with this index, 0 to 127."""
    return Subnets(IPv4Network((int(RANGE[0]) + index * 1024, 22)))


def free_index(taken: Collection[int], routes: Iterable[IPv4Network]) -> int:
    """The lowest index that no cluster has and that hides no route of the machine."""
    routed = [route for route in routes if route.prefixlen > 0]
    for index in range(BLOCKS):
        block = subnets(index).block
        if index not in taken and not any(block.overlaps(route) for route in routed):
            return index
    raise ClusterError(
        f"All {BLOCKS} address blocks of {RANGE} are taken by clusters or routes of this machine; "
        "`python3 -m tests.cluster list` shows the clusters."
    )
