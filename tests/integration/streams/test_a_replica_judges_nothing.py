"""After a failover a connection may stay with the old primary, which lives on as a replica. What it
knows is old, so it must say whose an entry is no more than it writes."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError

from headrace.entry import Entry
from headrace.streams import claim, consumers
from headrace.streams.commit import Committer
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.settlement import Park, Settlement

NEW = b"99-0"
"""An entry that the new primary gave to us, and that the old one does not know."""
NOWHERE = ("127.0.0.1", 1)


@pytest.fixture
async def replica(client: Redis, held: list[bytes]) -> AsyncIterator[Redis]:
    await client.replicaof(*NOWHERE)
    yield client
    await client.replicaof("NO", "ONE")


ASKED: dict[str, Callable[[Redis, GroupKeys], Awaitable[object]]] = {
    "commit an acknowledgement": lambda client, keys: committer(keys).commit(client, [NEW]),
    "commit a retry": lambda client, keys: committer(keys).commit(
        client, [], [Settlement(Source.MAIN, NEW, 1, Park(0, "boom"))]
    ),
    "renew": lambda client, keys: claim.renew(client, keys, "w1", Source.MAIN, [NEW]),
    "renew again": lambda client, keys: claim.renew(
        client, keys, "w1", Source.MAIN, [NEW], answered=False
    ),
    "mark solo": lambda client, keys: claim.mark_solo(client, keys, "w1", Entry(NEW, [])),
    "hand back": lambda client, keys: claim.hand_back(client, keys, "w1", Source.MAIN, [(NEW, 1)]),
    "hand back what is not held": lambda client, keys: claim.hand_back_unheld(
        client, keys, "w2", Source.MAIN, []
    ),
    "leave": lambda client, keys: consumers.delete_if_empty(client, keys, "w1"),
}


def committer(keys: GroupKeys) -> Committer:
    return Committer(keys, "w1", dead_letter_max_length=9)


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
async def test_it_refuses_to(
    replica: Redis, keys: GroupKeys, ask: Callable[[Redis, GroupKeys], Awaitable[object]]
) -> None:
    with pytest.raises(ReadOnlyError):
        await ask(replica, keys)
