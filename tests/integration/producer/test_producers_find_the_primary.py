"""Producers by the URL of a Sentinel set or a Cluster: they send where the primary is."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.redis_topologies import (
    MASTER,
    Cluster,
    SentinelSet,
    cluster,
    plain,
    sentinel_set,
    until,
)

import headrace

STREAM = "flights"
SERVERS, SENTINELS = "s3cret-of-servers", "s3cret-of-sentinels"

Send = Callable[[list[int]], list[str]]


def url_of(topology: SentinelSet | Cluster) -> str:
    hosts = ",".join(topology.settings["endpoints"])
    if isinstance(topology, Cluster):
        return f"redis+cluster://{hosts}"
    return f"redis+sentinel://{hosts}/{MASTER}"


class Sync:
    """Sends from a thread, as a program without a loop does."""

    def __init__(self, url: str) -> None:
        self.producer = headrace.SyncProducer.from_url(url, STREAM)

    def send(self, numbers: list[int]) -> list[str]:
        return self.producer.send_many([headrace.Event("made", {"n": n}) for n in numbers])

    def close(self) -> None:
        self.producer.close()


class Async:
    """The same in a loop of its own."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.producer = headrace.Producer.from_url(url, STREAM)

    def send(self, numbers: list[int]) -> list[str]:
        events = [headrace.Event("made", {"n": n}) for n in numbers]
        return self.runner.run(self.producer.send_many(events))

    def close(self) -> None:
        self.runner.run(self.producer.close())
        self.runner.close()


def ids(topology: SentinelSet | Cluster, password: str | None = None) -> list[str]:
    client = plain(topology.primary(STREAM))
    if password:
        client.execute_command("AUTH", password)
    rows: Any = client.xrange(STREAM)
    return [id_.decode() for id_, _ in rows]


@pytest.mark.parametrize("kind", [Sync, Async])
def test_after_a_failover_events_go_to_the_new_primary(kind: type[Sync] | type[Async]) -> None:
    with sentinel_set() as topology:
        producer = kind(url_of(topology))
        sent = producer.send(list(range(10)))
        before = topology.primary(STREAM)
        until(lambda: plain(before).wait(1, 1000) == 1, "a replica with all")
        topology.fail_over(STREAM)
        # Until the sentinels tell it otherwise, the old one takes what will then be lost.
        until(lambda: plain(before).role()[0] == b"slave", "a replica")
        sent += producer.send(list(range(10, 20)))
        producer.close()
        assert topology.primary(STREAM) != before
        assert ids(topology) == sent


@pytest.mark.parametrize("kind", [Sync, Async])
def test_a_slot_that_moves_meanwhile_loses_and_doubles_nothing(
    kind: type[Sync] | type[Async],
) -> None:
    with cluster() as topology:
        producer = kind(url_of(topology))
        sent = producer.send(list(range(10)))
        before, moved = topology.primary(STREAM), threading.Event()

        def move() -> None:
            topology.move_slot(STREAM)
            moved.set()

        thread = threading.Thread(target=move)
        thread.start()
        while not moved.is_set():
            sent += producer.send([len(sent)])
        thread.join()
        sent += producer.send([len(sent)])
        producer.close()
        assert topology.primary(STREAM) != before
        assert ids(topology) == sent
        assert len(set(sent)) == len(sent)


def test_sentinels_and_servers_with_passwords_of_their_own() -> None:
    with sentinel_set() as topology:
        topology.protect(SERVERS, SENTINELS)
        hosts = ",".join(topology.settings["endpoints"])
        url = f"redis+sentinel://:{SERVERS}@{hosts}/{MASTER}?sentinel_password={SENTINELS}"
        producer = Sync(url)
        assert producer.send([1])
        producer.close()
        wrong = headrace.SyncProducer.from_url(
            url.replace(SENTINELS, "s3cret-wrong"), STREAM, retry_seconds=0
        )
        with pytest.raises(headrace.NotSent) as error:
            wrong.send(headrace.Event("made", 1))
        assert "s3cret" not in str(error.value)


async def test_a_sync_producer_works_beside_a_running_loop() -> None:
    with sentinel_set() as topology:
        producer = Sync(url_of(topology))
        assert producer.send([1])
        producer.close()
