"""Connections re-send nothing by themselves, wait long enough, and keep secrets."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from tests.support.redis_servers import RedisServer, running
from tests.support.redis_tls import NAME, certificates, listen_with_tls, make_certificates

from headrace.streams.connect import (
    Target,
    Tls,
    connect,
    connect_blocking,
)
from headrace.streams.credentials import FileCredentials, NoCredentials, StaticCredentials
from headrace.streams.detect import detect

__all__ = ["certificates"]

SECRET = "correct horse battery"


async def test_a_command_whose_reply_was_lost_is_not_sent_again() -> None:
    received = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(4096)
        while b"INCR" not in data:
            writer.write(b"+OK\r\n" * data.count(b"*"))
            data = await reader.read(4096)
        received.append(data)
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(Target((f"127.0.0.1:{port}",)), role="control") as client:
            with pytest.raises(RedisConnectionError):
                await client.execute_command("INCR", "n")
    assert len(received) == 1


async def test_a_read_may_block_longer_than_five_seconds(redis_server: RedisServer) -> None:
    async with connect(redis_server.target, role="read", block_ms=5_500) as client:
        assert await client.blpop(["nothing"], timeout=5.5) is None


async def test_credentials_are_read_again_at_each_connection(
    redis_server: RedisServer, client: Redis, tmp_path: Path
) -> None:
    await client.acl_setuser("w", enabled=True, passwords=["+old", "+new"], categories=["+@all"])
    try:
        (tmp_path / "username").write_text("w\n")
        (tmp_path / "password").write_text("old\n")
        async with connect(
            redis_server.target, FileCredentials(tmp_path), role="control"
        ) as limited:
            assert await limited.acl_whoami() == "w"
            await client.acl_setuser("w", enabled=True, passwords=["-old"])
            (tmp_path / "password").write_text("new")
            await limited.connection_pool.disconnect()
            assert await limited.acl_whoami() == "w"
    finally:
        await client.acl_deluser("w")


async def test_a_url_in_a_file_gives_user_and_password_and_is_read_again(
    redis_server: RedisServer, client: Redis, tmp_path: Path
) -> None:
    await client.acl_setuser("w", enabled=True, passwords=["+o/d", "+new"], categories=["+@all"])
    url, files = tmp_path / "url", FileCredentials(tmp_path)
    try:
        url.write_text("redis://w:o%2Fd@elsewhere:1/7\n")
        async with connect(redis_server.target, files, role="control") as limited:
            assert await limited.acl_whoami() == "w"
            await client.acl_setuser("w", enabled=True, passwords=["-o/d"])
            url.write_text("redis://w:new@elsewhere:1/7")
            await limited.connection_pool.disconnect()
            assert await limited.acl_whoami() == "w"
            url.write_text("redis://elsewhere:1/7")
            await limited.connection_pool.disconnect()
            assert await limited.acl_whoami() == "default"
            url.write_text(f"redis://w:{SECRET}/@elsewhere")
            await limited.connection_pool.disconnect()
            with pytest.raises(NoCredentials, match="port is no number") as refusal:
                await limited.ping()
            assert SECRET not in str(refusal.value)
        with connect_blocking(redis_server.target, files) as blocking:
            url.write_text("redis://elsewhere:1/7")
            assert blocking.ping()
    finally:
        await client.acl_deluser("w")


async def test_missing_credential_files_are_named_without_their_content(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with connect(redis_server.target, FileCredentials(tmp_path), role="control") as client:
        with pytest.raises(NoCredentials, match="check the Secret"):
            await client.ping()


async def test_no_secret_shows_in_what_a_client_prints(redis_server: RedisServer) -> None:
    who = StaticCredentials("w", SECRET)
    async with connect(redis_server.target, who, role="control") as client:
        with pytest.raises(AuthenticationError) as refusal:
            await client.ping()
        shown = f"{who!r} {client!r} {client.connection_pool!r} {refusal.value!r}"
    assert SECRET not in shown


async def test_the_database_is_selected(redis_server: RedisServer, client: Redis) -> None:
    target = Target(redis_server.target.endpoints, database=3)
    async with connect(target, role="control") as third:
        await third.set("k", "v")
    assert await client.exists("k") == 0


async def test_the_server_names_itself(redis_server: RedisServer, client: Redis) -> None:
    server = await detect(client)
    assert server.name == redis_server.kind.removesuffix("-8")
    assert server.version >= (7, 0)


async def test_an_authority_that_is_named_is_trusted_alone(
    certificates: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py would trust the system's beside it."""
    other = make_certificates(tmp_path)["ca.crt"]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["ca.crt"]))  # where the system has its own
    with running("redis") as server:
        endpoint = (listen_with_tls(server, certificates, tls_auth_clients="no"),)
        system = Target(endpoint, tls=Tls(server_name=NAME))
        async with connect(system, role="control") as client:
            assert await client.ping()
        with connect_blocking(system) as blocking:
            assert blocking.ping()
        for tls, words in (
            (Tls(ca_file=str(other)), "verify failed"),
            (Tls(ca_data=other.read_text()), "verify failed"),
            (Tls(ca_file=""), "is empty"),
            (Tls(ca_data=""), "is empty"),
        ):
            target = Target(endpoint, tls=replace(tls, server_name=NAME))
            async with connect(target, role="control") as client:
                with pytest.raises(RedisConnectionError, match=words):
                    await client.ping()
            with (
                connect_blocking(target) as blocking,
                pytest.raises(RedisConnectionError, match=words),
            ):
                blocking.ping()


async def test_tls_checks_the_name_that_the_target_gives(certificates: dict[str, Path]) -> None:
    files = {name: str(path) for name, path in certificates.items()}
    with running("redis") as server:
        endpoint = (listen_with_tls(server, certificates),)
        tls = Tls(
            ca_file=files["ca.crt"],
            cert_file=files["tls.crt"],
            key_file=files["tls.key"],
            server_name=NAME,
        )
        async with connect(Target(endpoint, tls=tls), role="control") as client:
            assert await client.ping()
        with connect_blocking(Target(endpoint, tls=tls)) as blocking:
            assert blocking.ping()
        other = Tls(ca_data=certificates["ca.crt"].read_text(), server_name="other.example")
        async with connect(Target(endpoint, tls=other), role="control") as client:
            with pytest.raises(RedisConnectionError, match=r"other\.example"):
                await client.ping()
        blocking = connect_blocking(Target(endpoint, tls=other))
        with pytest.raises(RedisConnectionError, match=r"other\.example"):
            blocking.ping()
