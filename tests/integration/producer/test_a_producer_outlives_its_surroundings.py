"""Forks, failovers and events that cannot be written: a producer says what became of each event."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.crash.proxy import Proxy
from tests.support.redis_servers import RedisServer, redis_server, running
from tests.support.waiting import eventually_sync

import headrace

__all__ = ["redis_server"]


@pytest.fixture
def plain(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        yield client


def url(server: RedisServer) -> str:
    return f"redis://127.0.0.1:{server.port}"


def test_children_of_a_fork_send_as_producers_of_their_own(
    redis_server: RedisServer, plain: redis.Redis
) -> None:
    producer = headrace.SyncProducer.from_url(url(redis_server), "orders")
    producer.send(headrace.Event("order", "parent"))
    children = []
    for child in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                for n in range(20):
                    producer.send(headrace.Event("order", [child, n]))
                producer.close()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert plain.xlen("orders") == 1 + 4 * 20
    assert plain.exists(*plain.keys("headrace:{orders}:sent:*")) == 1, "the parent's is left alone"
    producer.send(headrace.Event("order", "parent again"))
    assert plain.xlen("orders") == 2 + 4 * 20
    producer.close()


def test_a_send_rides_out_a_failover_behind_a_stable_address(redis_server: RedisServer) -> None:
    with running(redis_server.kind) as first, running(redis_server.kind) as second:
        old, new = redis.Redis(port=first.port), redis.Redis(port=second.port)
        proxy = Proxy(first.port, seed=1)
        address = f"redis://127.0.0.1:{proxy.start()}"

        def linked() -> bool:
            return bool(new.info("replication")["master_link_status"] == "up")

        async def send_async() -> None:
            async with headrace.Producer.from_url(address, "orders") as producer:
                await producer.send(headrace.Event("order", 2))

        new.replicaof("127.0.0.1", first.port)
        eventually_sync(linked)
        with headrace.SyncProducer.from_url(address, "orders", retry_seconds=20) as producer:
            producer.send(headrace.Event("order", 0))
            eventually_sync(lambda: new.xlen("orders") == 1)
            new.replicaof("NO", "ONE")
            proxy.target_port = second.port
            old.replicaof("127.0.0.1", second.port)
            producer.send(headrace.Event("order", 1))
        asyncio.run(send_async())
        proxy.stop()
        payloads = [fields[b"payload"] for _, fields in new.xrange("orders")]
        assert payloads == [b"0", b"1", b"2"]


async def test_an_event_that_cannot_be_encoded_leaves_an_exact_account(
    redis_server: RedisServer, plain: redis.Redis
) -> None:
    events = [headrace.Event("order", n) for n in range(700)] + [headrace.Event("order", object())]
    async with headrace.Producer.from_url(url(redis_server), "orders") as producer:
        with pytest.raises(headrace.NotSent, match="event 701 cannot be encoded") as raised:
            await producer.send_many(events)
    assert (len(raised.value.sent), raised.value.unsure) == (500, 0)
    assert [id_.decode() for id_, _ in plain.xrange("orders")] == raised.value.sent


@pytest.mark.parametrize(
    "client", [redis.Redis(), redis.asyncio.Redis()], ids=["blocking", "asyncio"]
)
def test_without_idempotence_a_client_that_repeats_by_itself_is_refused(
    client: redis.Redis | redis.asyncio.Redis,
) -> None:
    kind = headrace.SyncProducer if isinstance(client, redis.Redis) else headrace.Producer
    with pytest.raises(ValueError, match="needs a client that repeats nothing"):
        kind(client, "orders", idempotent=False)
    kind(client, "orders")
    headrace.SyncProducer(redis.Redis(retry=Retry(NoBackoff(), 0)), "orders", idempotent=False)
    headrace.SyncProducer.from_url("redis://localhost", "orders", idempotent=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retry_seconds": 3600}, "retry_seconds=3600: give 0 to 1800 seconds"),
        ({"retry_seconds": float("nan")}, "retry_seconds=nan"),
        ({"batch_size": 0}, "batch_size=0: give 1 or more"),
    ],
)
def test_options_that_cannot_be_kept_are_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        headrace.SyncProducer(redis.Redis(), "orders", **options)


@pytest.mark.parametrize("wrong", ["redis://h:banana", "redis://h/mydb", "h:6379"])
@pytest.mark.parametrize("kind", [headrace.Producer, headrace.SyncProducer])
def test_a_url_of_which_a_part_would_be_passed_over_is_refused(
    kind: type[headrace.Producer | headrace.SyncProducer], wrong: str
) -> None:
    with pytest.raises(ValueError, match="the Redis URL"):
        kind.from_url(wrong, "orders")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (headrace.Event("", 1), "Event.type must be a text"),
        (headrace.Event("order", 1, version="1"), "Event.version must be a whole number"),  # type: ignore[arg-type]
        (headrace.Event("order", 1, version=-3), "Event.version must be a whole number"),
        (headrace.Event("order", 1, id=1.5), "Event.id must be a text or a whole number"),  # type: ignore[arg-type]
        (headrace.Event("order", 1, id=True), "Event.id must be a text or a whole number"),
    ],
)
def test_what_is_no_event_is_said_with_the_field(
    redis_server: RedisServer, event: headrace.Event, said: str
) -> None:
    with (
        headrace.SyncProducer.from_url(url(redis_server), "orders") as producer,
        pytest.raises(headrace.NotSent, match=f"event 1 cannot be encoded: {said}"),
    ):
        producer.send(event)


def test_a_whole_number_is_written_as_the_id_s_text(
    redis_server: RedisServer, plain: redis.Redis
) -> None:
    with headrace.SyncProducer.from_url(url(redis_server), "orders") as producer:
        producer.send(headrace.Event("order", 1, id=1545))
    ((_, fields),) = plain.xrange("orders")
    assert fields[b"id"] == b"1545"
