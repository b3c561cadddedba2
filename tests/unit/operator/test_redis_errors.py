"""What a status may tell of an address that somebody wrote into a spec."""

import asyncio
import ssl

import pytest
import redis.exceptions
from tests.support.ports import free_port

from headrace.streams.connect import REDIS_ERRORS, Mode, Target, connect
from headrace_operator.backlog import redis_errors


async def told_of(port: int) -> str:
    client = connect(Target(endpoints=(f"127.0.0.1:{port}",)), role="admin")
    try:
        await client.ping()
    except REDIS_ERRORS as error:
        return redis_errors.for_people(error)
    finally:
        await client.aclose()
    raise AssertionError("something answered")


@pytest.mark.parametrize(
    "banner", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.9\r\n", b""]
)
async def test_a_closed_port_and_any_other_server_look_the_same(banner: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(banner)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await told_of(port) == redis_errors.NO_ANSWER
    assert await told_of(free_port()) == redis_errors.NO_ANSWER


def test_a_time_out_looks_the_same_too() -> None:
    late = redis.exceptions.TimeoutError("Timeout reading from 10.0.0.1:25")
    assert redis_errors.for_people(late) == redis_errors.NO_ANSWER
    assert redis_errors.for_people(TimeoutError()) == redis_errors.NO_ANSWER


@pytest.mark.parametrize(
    "refusal",
    [
        redis.exceptions.NoPermissionError("this user has no rights", status_code="NOPERM"),
        redis.exceptions.BusyLoadingError("Redis is loading the dataset", status_code="LOADING"),
        redis.exceptions.ResponseError("unknown command"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_redis_refuses_is_told_in_its_own_words(refusal: Exception) -> None:
    assert str(refusal) in redis_errors.for_people(refusal)


async def test_a_name_that_does_not_resolve_and_a_wrong_certificate_are_told() -> None:
    client = connect(Target(endpoints=("no.such.name.invalid:6379",)), role="admin")
    with pytest.raises(redis.exceptions.ConnectionError) as unknown:
        await client.ping()
    await client.aclose()
    assert redis_errors.for_people(unknown.value) != redis_errors.NO_ANSWER

    sentinels = Target(
        endpoints=(f"127.0.0.1:{free_port()}", "no.such.name.invalid:26379"),
        mode=Mode.SENTINEL,
        sentinel_master="mymaster",
    )
    client = connect(sentinels, role="admin")
    with pytest.raises(redis.exceptions.ConnectionError) as unknown:
        await client.ping()
    await client.aclose()
    told = redis_errors.for_people(unknown.value)
    assert "no.such.name.invalid:26379" in told
    assert "127.0.0.1" not in told

    wrong = redis.exceptions.ConnectionError("certificate verify failed: Hostname mismatch")
    wrong.__cause__ = ssl.SSLCertVerificationError()
    assert "Hostname mismatch" in redis_errors.for_people(wrong)
