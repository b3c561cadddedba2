"""Servers of Debian that run on this machine with their own libraries, whatever its age."""

from __future__ import annotations

from tests.cluster.images import debian


def valkey_command() -> list[str]:
    """The start of the command line of Valkey 8.1; arguments of valkey-server follow."""
    return debian.own_loader(debian.unpacked(debian.SERVERS), "valkey-server")


def newest_valkey_command() -> list[str]:
    """The same of the newest Valkey that Debian has, 9.1."""
    return debian.own_loader(debian.unpacked(debian.SERVERS, debian.NEWEST), "valkey-server")


def redis_8_command() -> list[str]:
    """The start of the command line of Redis 8.0; arguments of redis-server follow."""
    return debian.own_loader(debian.unpacked(debian.SERVERS), "redis-server")
