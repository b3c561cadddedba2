"""Sockets for probes and metrics."""

from __future__ import annotations

import errno
import socket


def listening(host: str, port: int) -> socket.socket:
    """Listens on that address; for "" on every one of this machine, also where IPv6 is off: the
    kubelet probes a pod at its first address, of either family. Raises OSError."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        return socket.create_server(("", port))
