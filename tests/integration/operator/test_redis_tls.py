"""The operator's own way to a Redis that asks for a client certificate."""

import subprocess
from pathlib import Path

import pytest
import redis.exceptions
from tests.support.redis_servers import running

from headrace.streams.connect import Target, Tls, connect
from headrace_operator.redis_access import Access, ClientCertificate, RedisAccess


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A CA, and one certificate it signed for the name redis.example: server's and client's."""
    home = tmp_path_factory.mktemp("tls")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=home, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA")
    openssl("req", *key, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=redis.example")
    (home / "names").write_text("subjectAltName=DNS:redis.example\n")
    openssl(
        *("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-out", "tls.crt", "-extfile", "names"),
    )
    return {name: home / name for name in ("ca.crt", "tls.crt", "tls.key")}


async def test_a_client_certificate_from_memory_is_shown_and_a_missing_one_refused(
    certificates: dict[str, Path],
) -> None:
    texts = {name: path.read_text() for name, path in certificates.items()}
    with running("redis") as server:
        async with connect(server.target, role="control") as plain:
            for option, name in (("ca-cert", "ca.crt"), ("cert", "tls.crt"), ("key", "tls.key")):
                await plain.config_set(f"tls-{option}-file", str(certificates[name]))
            await plain.config_set("tls-auth-clients", "yes")
            await plain.config_set("tls-port", str(server.port + 1))
        target = Target(
            endpoints=(f"127.0.0.1:{server.port + 1}",),
            tls=Tls(ca_data=texts["ca.crt"], server_name="redis.example"),
        )
        certificate = ClientCertificate(texts["tls.crt"], texts["tls.key"])
        pool = RedisAccess()
        client = pool.client(Access(target, certificate=certificate))
        assert await client.ping()
        await client.connection_pool.disconnect()
        assert await client.ping(), "the files are read again for a new connection"
        with pytest.raises(redis.exceptions.RedisError):
            await pool.client(Access(target)).ping()
        assert "BEGIN" not in repr(Access(target, certificate=certificate))
        await pool.aclose()
