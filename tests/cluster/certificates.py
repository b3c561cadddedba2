"""The cluster's certificate authority and what it signs, by the openssl command (3.0 or newer)."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.subnets import Subnets

DAYS = "365"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def create(directory: Path, subnets: Subnets) -> None:
    """Write ca, apiserver, admin, node and front-proxy (.crt, .key) and sa.key, sa.pub."""
    directory.mkdir(mode=0o700)
    _request(directory, "ca", "/CN=headrace-ca", [])
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names = [*service, "kubernetes.default.svc.cluster.local", "localhost"]
    addresses = ["127.0.0.1", str(subnets.api_service), str(subnets.node_address)]
    _sign(directory, "apiserver", "/CN=kube-apiserver", names, addresses)
    _sign(directory, "admin", "/O=system:masters/CN=admin", ["admin"], [])
    node = [str(subnets.node_address)]
    _sign(directory, "node", "/O=system:nodes/CN=system:node:node", ["node"], node)
    _sign(directory, "front-proxy", "/CN=front-proxy", ["front-proxy"], [])
    run(["openssl", "genrsa", "-out", directory / "sa.key", "2048"])
    run(["openssl", "rsa", "-in", directory / "sa.key", "-pubout", "-out", directory / "sa.pub"])


def _sign(directory: Path, name: str, subject: str, names: list[str], addresses: list[str]) -> None:
    alternatives = [f"DNS:{one}" for one in names] + [f"IP:{one}" for one in addresses]
    signed: list[str | Path] = ["-CA", directory / "ca.crt", "-CAkey", directory / "ca.key"]
    extensions = [
        "basicConstraints=critical,CA:FALSE",
        "extendedKeyUsage=serverAuth,clientAuth",
        f"subjectAltName={','.join(alternatives)}",
    ]
    added = [word for extension in extensions for word in ("-addext", extension)]
    _request(directory, name, subject, [*signed, *added])


def _request(directory: Path, name: str, subject: str, more: list[str | Path]) -> None:
    files: list[str | Path] = [
        "-keyout",
        directory / f"{name}.key",
        "-out",
        directory / f"{name}.crt",
    ]
    run(["openssl", "req", "-x509", *NEW_KEY, "-days", DAYS, "-subj", subject, *files, *more])
