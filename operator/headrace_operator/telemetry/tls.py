"""TLS for /metrics, from files that are renewed in place, as cert-manager and the kubelet do."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from headrace.streams.tls_contexts import state_of

logger = logging.getLogger(__name__)

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """`directory` holds tls.crt and tls.key, as a mounted Secret does. With `client_certificates`,
    only those are answered who show a certificate that ca.crt of the directory has signed."""

    directory: Path
    client_certificates: bool = False

    def context(self) -> ssl.SSLContext:
        """For a listener: each handshake gets what the files hold by then.

        Raises ValueError, which says which file is wrong.
        """
        first = _Renewed(self)
        first.newest.sni_callback = first.choose
        return first.newest

    def load(self) -> ssl.SSLContext:
        """A context of the files as they are now. Raises ValueError."""
        files = [CERTIFICATE, KEY] + ([AUTHORITY] if self.client_certificates else [])
        for name in files:
            if not (self.directory / name).is_file():
                raise ValueError(f"metrics over TLS: {self.directory / name} does not exist")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.directory / CERTIFICATE, self.directory / KEY)
            if self.client_certificates:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.directory / AUTHORITY)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(
                f"metrics over TLS: {', '.join(files)} of {self.directory} do not fit: {error}"
            ) from None
        return context


class _Renewed:
    def __init__(self, files: ServerTLS) -> None:
        self._files = files
        self._seen = self._state()
        self.newest = files.load()

    def choose(self, connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        """Called by each handshake. Files that do not fit, as in the middle of a change, wait."""
        if (state := self._state()) != self._seen:
            try:
                self.newest = self._files.load()
            except ValueError as error:
                logger.warning("%s; the certificate before it is kept", error)
            else:
                self._seen = state
        connection.context = self.newest

    def _state(self) -> list[Hashable]:
        return [state_of(self._files.directory / name) for name in (CERTIFICATE, KEY, AUTHORITY)]
