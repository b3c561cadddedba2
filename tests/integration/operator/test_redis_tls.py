"""The operator's own way to a Redis that asks for a client certificate."""

from pathlib import Path

import pytest
import redis.exceptions
from tests.support.redis_servers import running
from tests.support.redis_tls import NAME, certificates, listen_with_tls

from headrace.streams.connect import Target, Tls
from headrace_operator.backlog.redis_clients import Access, ClientCertificate, RedisAccess

__all__ = ["certificates"]


async def test_a_client_certificate_from_memory_is_shown_and_a_missing_one_refused(
    certificates: dict[str, Path],
) -> None:
    texts = {name: path.read_text() for name, path in certificates.items()}
    with running("redis") as server:
        endpoint = listen_with_tls(server, certificates, tls_auth_clients="yes")
        target = Target(
            endpoints=(endpoint,),
            tls=Tls(ca_data=texts["ca.crt"], server_name=NAME),
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
