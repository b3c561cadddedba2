"""One TLS context for all connections that read the same files, made anew once a file changes.

To make one reads each CA of the system: ten milliseconds of CPU, which a worker that tries to reach
its Redis would spend at each try.

redis-py trusts the system's authorities beside the one that is named. Here the named one is trusted
alone.
"""

from __future__ import annotations

import ssl
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from redis import SSLConnection
from redis.asyncio.connection import RedisSSLContext

MOST = 256
"""Contexts kept; an operator has one for each CA."""
_made: dict[Hashable, ssl.SSLContext] = {}


def use_as_files_stand(settings: RedisSSLContext) -> ssl.SSLContext:
    """Let the next connection of these settings use its files as they are now. Raises what reading
    them raises."""
    key = _key(settings)  # before they are read: a change in between is seen the next time
    settings.context = _made.get(key)
    if settings.context is None and names_an_authority(settings):
        settings.context = trusting_only(settings)
    made = settings.get()
    if len(_made) >= MOST:
        _made.clear()
    _made[key] = made
    return made


def names_an_authority(settings: RedisSSLContext | SSLConnection) -> bool:
    """Also with an empty name, which would otherwise mean the system's."""
    return settings.ca_certs is not None or settings.ca_data is not None


def trusting_only(settings: RedisSSLContext | SSLConnection) -> ssl.SSLContext:
    """What redis-py would make of them, without the system's authorities. Raises OSError."""
    if not (settings.ca_certs or settings.ca_data):
        raise ssl.SSLError("the certificate authority that is named is empty")
    made = ssl.create_default_context(cafile=settings.ca_certs, cadata=settings.ca_data)
    made.check_hostname, made.verify_mode = settings.check_hostname, settings.cert_reqs
    if chain := settings.certfile or settings.keyfile:
        made.load_cert_chain(chain, settings.keyfile)
    return made


def _key(settings: RedisSSLContext) -> Hashable:
    files = (settings.ca_certs, settings.certfile, settings.keyfile)
    options = (settings.ca_data, settings.cert_reqs, settings.check_hostname, settings.min_version)
    return *options, *(path and (path, state_of(path)) for path in files)


def state_of(path: str | Path) -> Hashable:
    """Which file it is, and as of when; another once it was written again. None without one."""
    with suppress(OSError):
        state = Path(path).stat()
        return state.st_ino, state.st_mtime_ns, state.st_size
    return None
