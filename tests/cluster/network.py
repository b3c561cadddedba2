"""The cluster's own network namespace, joined to the machine by one pair of links.

All addresses, rules and connections of the cluster live in it: the machine's own iptables stay
clean, and deleting the namespace deletes them. The host reaches the API, the pods and the Services
by two routes.
"""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.instances import Instance

NAMED = re.compile(r"headrace-?(\d+)")
LINKS = Path("/sys/class/net")
NAMESPACES = Path("/run/netns")


def routes() -> list[IPv4Network]:
    """The IPv4 networks that this machine has a route to, the default route left out."""
    known = json.loads(run(["ip", "-json", "-4", "route", "show"]) or "[]")
    return [IPv4Network(one["dst"]) for one in known if one["dst"] != "default"]


def indexes() -> set[int]:
    """Indexes of the clusters that have a link or a namespace here, whole or in ruins."""
    names = [path.name for top in (LINKS, NAMESPACES) if top.is_dir() for path in top.iterdir()]
    return {int(match[1]) for match in map(NAMED.fullmatch, names) if match}


def namespace_file(instance: Instance) -> Path:
    return NAMESPACES / instance.namespace


def create(instance: Instance) -> None:
    """Make the namespace, the pair of links and the routes."""
    net, link, name = instance.subnets, instance.link, instance.namespace
    run(["ip", "netns", "add", name])
    run(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name])
    run(["ip", "address", "add", f"{net.host_address}/24", "dev", link])
    run(["ip", "link", "set", link, "up"])
    inside = "\n".join(
        [
            "link set lo up",
            f"address add {net.node_address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {net.host_address}",
        ]
    )
    run(["ip", "-netns", name, "-batch", "-"], stdin=inside + "\n")
    forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
    run(["nsenter", f"--net={namespace_file(instance)}", "sh", "-c", forward])
    for reached in (net.pods, net.services):
        run(["ip", "route", "add", str(reached), "via", str(net.node_address), "dev", link])


def remove(instance: Instance) -> None:
    """Delete the links and the namespace, and with them every route and rule."""
    if (LINKS / instance.link).exists():
        run(["ip", "link", "delete", instance.link])
    if namespace_file(instance).exists():
        run(["ip", "netns", "delete", instance.namespace])
