"""A server of the tests that also listens with TLS, and certificates made for it."""

import subprocess
from pathlib import Path

import pytest
import redis

from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer

NAME = "redis.example"
FILES = ("ca.crt", "tls.crt", "tls.key")
TRIES = 10


def make_certificates(home: Path, name: str = NAME, days: int = 30) -> dict[str, Path]:
    """A CA, and one certificate it signed for `name`: server's and client's. Paths by name.

    A certificate of negative `days` has expired.
    """

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=home, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA")
    openssl("req", *key, "-keyout", "tls.key", "-out", "tls.csr", "-subj", f"/CN={name}")
    (home / "names").write_text(f"subjectAltName=DNS:{name}\n")
    openssl(
        *("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-out", "tls.crt", "-extfile", "names", "-days", str(days)),
    )
    return {name: home / name for name in FILES}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_certificates(tmp_path_factory.mktemp("tls"))


def listen_with_tls(server: RedisServer, certificates: dict[str, Path], **options: str) -> str:
    """Let the server listen with TLS too; the endpoint. A port that was free may be no more."""
    told = {
        "tls-ca-cert-file": certificates["ca.crt"],
        "tls-cert-file": certificates["tls.crt"],
        "tls-key-file": certificates["tls.key"],
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    with redis.Redis(port=server.port) as client:
        # At once: a certificate whose key is not set yet is refused.
        client.config_set(*(str(word) for pair in told.items() for word in pair))
        for left in reversed(range(TRIES)):
            port = free_port()
            try:
                client.config_set("tls-port", port)
            except redis.ResponseError:
                if not left:
                    raise
            else:
                return f"127.0.0.1:{port}"
    raise AssertionError("unreachable")
