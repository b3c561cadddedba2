"""A few requests to the cluster's API server, by the standard library alone."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError


class Api:
    """Speaks to `https://<address>:6443` as the administrator."""

    def __init__(self, address: str, certificates: Path) -> None:
        self._address = address
        self._tls = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        self._tls.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")

    def get(self, path: str, *, timeout: float = 5) -> tuple[int, bytes]:
        """Status and body of a GET; raises OSError while nothing answers."""
        return self._send("GET", path, None, timeout)

    def ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Server-side apply of one object at its full path."""
        target = f"{path}?fieldManager=headrace-cluster&force=true"
        status, body = self._send("PATCH", target, json.dumps(manifest).encode(), 30)
        if status >= 300:
            raise ClusterError(f"The API server refused {path}: {body.decode()[:500]}")

    def _send(self, method: str, path: str, body: bytes | None, wait: float) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(
            self._address, 6443, context=self._tls, timeout=wait
        )
        try:
            headers = {"Content-Type": "application/apply-patch+yaml"} if body else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def kubeconfig(address: str, certificates: Path, user: str) -> str:
    """A kubeconfig, as JSON (which is YAML), with everything embedded."""

    def embedded(name: str) -> str:
        return base64.b64encode((certificates / name).read_bytes()).decode()

    cluster = {
        "server": f"https://{address}:6443",
        "certificate-authority-data": embedded("ca.crt"),
    }
    identity = {
        "client-certificate-data": embedded(f"{user}.crt"),
        "client-key-data": embedded(f"{user}.key"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "headrace", "cluster": cluster}],
        "users": [{"name": user, "user": identity}],
        "contexts": [{"name": "headrace", "context": {"cluster": "headrace", "user": user}}],
        "current-context": "headrace",
    }
    return json.dumps(config, indent=1) + "\n"
