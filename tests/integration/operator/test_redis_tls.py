"""The operator's own way to a Redis with TLS, and what a status says where it is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.exceptions
from tests.support.redis_servers import RedisServer, running
from tests.support.redis_tls import NAME, certificates, listen_with_tls, make_certificates

from headrace.streams.connect import Target, Tls
from headrace_operator.backlog.redis_clients import Access, ClientCertificate, RedisAccess
from headrace_operator.backlog.redis_errors import NO_ANSWER, for_people

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
        client = await pool.client(Access(target, certificate=certificate), "flights")
        assert await client.ping()
        await client.connection_pool.disconnect()
        assert await client.ping(), "the files are read again for a new connection"
        with pytest.raises(redis.exceptions.RedisError):
            await (await pool.client(Access(target), "flights")).ping()
        assert "BEGIN" not in repr(Access(target, certificate=certificate))
        await pool.aclose()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running("redis") as server:
        yield server


REFUSED = {
    "expired": ({"days": -1}, {}, "certificate has expired"),
    "for another host": ({"name": "other.example"}, {}, f"not valid for '{NAME}'"),
    "of another authority": ({}, {}, "certificate verify failed"),
    # The server says so and hangs up: whether its words come before the end is up to the network.
    "no certificate of the client": (
        {},
        {"tls_auth_clients": "yes"},
        f"certificate required|{NO_ANSWER}",
    ),
}


@pytest.mark.parametrize("case", [*REFUSED])
async def test_a_status_says_why_tls_was_refused(
    server: RedisServer, tmp_path: Path, case: str
) -> None:
    certificate, options, words = REFUSED[case]
    files = make_certificates(tmp_path, **certificate)
    trusted = files["ca.crt"]
    if case == "of another authority":
        (tmp_path / "other").mkdir()
        trusted = make_certificates(tmp_path / "other")["ca.crt"]
    endpoint = listen_with_tls(server, files, **({"tls_auth_clients": "no"} | options))
    tls = Tls(ca_data=trusted.read_text(), server_name=NAME)
    pool = RedisAccess()
    with pytest.raises(redis.exceptions.RedisError) as refused:
        await (await pool.client(Access(Target(endpoints=(endpoint,), tls=tls)), "flights")).ping()
    assert re.search(words, for_people(refused.value))
    await pool.aclose()
