"""How the flights handlers are tested: the worker's own rules, and a real Redis for their keys.

    pytest examples/flights

Needs pytest, pytest-asyncio and a redis-server on the PATH.
"""

import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
from examples.flights import handlers

import headrace
from headrace.testing import Harness

MANIFEST = Path(__file__).with_name("pipeline.yaml")


def landed(**payload: object) -> headrace.Event:
    return headrace.Event("flight.landed", payload)


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("redis") / "socket")
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    while not Path(path).exists():
        assert server.poll() is None
        time.sleep(0.01)
    yield path
    server.terminate()
    server.wait()


@pytest.fixture
async def client(socket: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis(unix_socket_path=socket) as client:
        await client.flushall()
        yield client


async def test_delays_are_added_up_by_carrier(client: redis.asyncio.Redis) -> None:
    app = handlers.delays
    async with Harness.from_manifest(MANIFEST, app, group="delays", redis=client) as harness:
        await harness.feed_many(
            [
                landed(row=1, carrier="UA", arr_delay=11),
                landed(row=2, carrier="UA", arr_delay=-4),
                landed(row=3, carrier="AA", arr_delay=33),
            ]
        )
    assert await client.hgetall("{flights}:delays:totals") == {
        b"UA:flights": b"2",
        b"UA:minutes": b"7",
        b"AA:flights": b"1",
        b"AA:minutes": b"33",
    }


async def test_a_flight_that_never_landed_is_a_dead_letter(client: redis.asyncio.Redis) -> None:
    app = handlers.delays
    async with Harness.from_manifest(MANIFEST, app, group="delays", redis=client) as harness:
        result = await harness.feed(landed(row=1, carrier="UA", arr_delay=None))
        assert result.outcome == "dead_lettered"
        assert "arr_delay" in harness.dead_letters[0].error
    assert not await client.exists("{flights}:delays:totals")


@pytest.mark.parametrize("group", ["delays", "audit"])
async def test_a_flight_delivered_twice_counts_once(
    client: redis.asyncio.Redis, group: str
) -> None:
    app = getattr(handlers, group)
    async with Harness.from_manifest(MANIFEST, app, group=group, redis=client) as harness:
        harness.crash_before_commit()
        result = await harness.feed(landed(row=7, carrier="UA", arr_delay=11))
        await harness.finish()
        assert [one.outcome for one in result.attempts] == ["crashed", "done"]
    assert await client.bitcount(f"{{flights}}:{group}:rows") == 1
    if group == "delays":
        assert await client.hget("{flights}:delays:totals", "UA:minutes") == b"11"
