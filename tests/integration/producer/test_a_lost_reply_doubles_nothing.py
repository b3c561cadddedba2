"""The producers: batches, lost replies, refusals, and no trimming unless asked."""

import asyncio
import contextlib

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.retry import Retry as BlockingRetry
from tests.support.redis_servers import RedisServer, redis_server, running

import headrace

__all__ = ["redis_server"]

EVENTS = [headrace.Event("flight.landed", {"n": n}) for n in range(25)]


@pytest.fixture
def plain(redis_server: RedisServer):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        yield client


class Cutter:
    """A proxy that withholds the reply to a batch, `times` times, and closes the connection."""

    def __init__(self, port: int, times: int) -> None:
        self.target, self.left = port, times

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(1 << 20):
                back.write(data)
                answer = await there.read(1 << 20)
                settles = b"EVAL" in data.upper() or b"XADD" in data
                if settles and self.left and b"NOSCRIPT" not in answer:
                    self.left -= 1
                    break
                writer.write(answer)
        writer.close()
        back.close()


@contextlib.asynccontextmanager
async def cutting(port: int, times: int):
    """The port of a Cutter."""
    cutter = Cutter(port, times)
    server = await asyncio.start_server(cutter.handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def send(kind: str, port: int, events: list, **options) -> list[str]:
    if kind == "async":
        client = redis.asyncio.Redis(port=port, retry=Retry(NoBackoff(), 0))
        async with headrace.Producer(client, "flights", **options) as producer:
            try:
                return await producer.send_many(events)
            finally:
                await client.aclose()
    blocking = redis.Redis(port=port, retry=BlockingRetry(NoBackoff(), 0))

    def run() -> list[str]:
        with headrace.SyncProducer(blocking, "flights", **options) as producer, blocking:
            return producer.send_many(events)

    return await asyncio.to_thread(run)


both = pytest.mark.parametrize("kind", ["async", "sync"])


@both
async def test_events_arrive_in_order_in_batches(redis_server, plain, kind: str) -> None:
    ids = await send(kind, redis_server.port, EVENTS, batch_size=10)
    entries = plain.xrange("flights")
    assert [one.decode() for one, _ in entries] == ids
    assert [fields[b"payload"] for _, fields in entries] == [b'{"n":%d}' % n for n in range(25)]


@both
async def test_a_batch_whose_reply_was_lost_is_in_the_stream_once(
    redis_server, plain, kind: str
) -> None:
    async with cutting(redis_server.port, 3) as port:
        ids = await send(kind, port, EVENTS, batch_size=10)
    assert [one.decode() for one, _ in plain.xrange("flights")] == ids
    assert len(ids) == 25


@both
async def test_without_idempotence_a_lost_reply_says_what_may_double(
    redis_server, plain, kind: str
) -> None:
    async with cutting(redis_server.port, 1) as port:
        with pytest.raises(headrace.NotSent, match="10 after them may be") as error:
            await send(kind, port, EVENTS, batch_size=10, idempotent=False)
    assert (error.value.sent, error.value.unsure) == ([], 10)
    assert plain.xlen("flights") == 10
    assert len(await send(kind, redis_server.port, EVENTS, idempotent=False)) == 25


@both
async def test_a_redis_that_stays_away_ends_with_what_is_known(
    redis_server, plain, kind: str
) -> None:
    async with cutting(redis_server.port, 1_000) as port:
        with pytest.raises(headrace.NotSent) as error:
            await send(kind, port, EVENTS, batch_size=10, retry_seconds=0.3)
    assert error.value.unsure == 10
    assert plain.xlen("flights") == 10


@both
@pytest.mark.parametrize("idempotent", [True, False])
async def test_what_was_sent_before_a_refusal_is_told(
    redis_server, plain, kind: str, idempotent: bool
) -> None:
    plain.xadd("flights", {"full": "1"}, id="1-0")
    last = f"{2**64 - 1}-{2**64 - 1}"  # the stream takes nothing after it
    sent: list[str] = []

    def events():
        for number, event in enumerate(EVENTS):
            if number == 20:  # the first batch was sent when the second was complete
                sent.extend(one.decode() for one, _ in plain.xrange("flights")[1:])
                plain.xadd("flights", {"full": "1"}, id=last)
            yield event

    with pytest.raises(headrace.NotSent, match="exhausted") as error:
        await send(kind, redis_server.port, events(), batch_size=10, idempotent=idempotent)
    assert len(sent) == 10
    assert error.value.sent == sent


@both
async def test_a_missing_right_says_what_to_grant(redis_server, plain, kind: str) -> None:
    everything = {"enabled": True, "nopass": True, "keys": ["*"], "categories": ["+@all"]}
    plain.acl_setuser("default", **everything, commands=["-eval", "-evalsha"])
    try:
        with pytest.raises(headrace.NotSent, match="grant EVAL, EVALSHA") as error:
            await send(kind, redis_server.port, EVENTS)
        assert (error.value.sent, error.value.unsure) == ([], 0)
        assert len(await send(kind, redis_server.port, EVENTS, idempotent=False)) == 25
    finally:
        plain.acl_setuser("default", **everything)


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_wrong_password_is_told_at_once(redis_server, idempotent: bool) -> None:
    """A Redis that is away is tried for half an hour; a minute is for the machine."""
    options = {"idempotent": idempotent, "retry_seconds": 1_800.0}
    url = f"redis://nobody:secret@127.0.0.1:{redis_server.port}"
    told = pytest.raises(headrace.NotSent, match="correct the user name or password")
    async with asyncio.timeout(60), headrace.Producer.from_url(url, "flights", **options) as one:
        with told as error:
            await one.send(EVENTS[0])
    assert (error.value.sent, error.value.unsure) == ([], 0)
    assert "secret" not in str(error.value)
    with headrace.SyncProducer.from_url(url, "flights", **options) as other, told:
        other.send(EVENTS[0])


@both
async def test_a_restarted_redis_is_waited_for(kind: str) -> None:
    with running("redis", "--appendonly", "yes", "--appendfsync", "always") as server:
        await send(kind, server.port, EVENTS[:1])
        server.kill()
        task = asyncio.create_task(send(kind, server.port, EVENTS))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(server.start)
        assert len(await task) == 25


@both
@pytest.mark.parametrize("idempotent", [True, False])
async def test_the_stream_is_trimmed_only_when_asked_by_the_unsafe_name(
    redis_server, plain, kind: str, idempotent: bool
) -> None:
    many = EVENTS * 40
    await send(kind, redis_server.port, many, idempotent=idempotent)
    assert plain.xlen("flights") == 1000
    await send(kind, redis_server.port, many, idempotent=idempotent, unsafe_max_length=100)
    assert plain.xlen("flights") < 300


@both
async def test_a_producer_that_ended_well_leaves_no_key(redis_server, plain, kind: str) -> None:
    await send(kind, redis_server.port, EVENTS)
    assert plain.keys("*") == [b"flights"]
